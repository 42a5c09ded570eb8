//! Reading a small document by its own section, with the same errors as of a configuration.
//!
//! Example:
//!
//! ```
//! use steerage_config::section;
//! use steerage_config::table::{Document, Key};
//!
//! section! {
//!     /// How long something lasts.
//!     pub static LASTS: Lasts;
//!     TIMEOUT: core::time::Duration = Key::span("timeout", "5", "how long");
//! }
//!
//! let document = Document::from_pairs([("timeout", "0")]);
//! let errors = document.read::<Lasts, _>(|fields, _| fields.get(&TIMEOUT));
//! assert!(errors.unwrap_err().to_string().starts_with("timeout: must be a duration above 0"));
//! ```

pub use crate::document::Document;
pub use crate::fields::Fields;
pub use crate::key::{Describe, Entries, Key, Nested, Unread};
pub use crate::kind::Section;
pub use crate::report::{Errors, Reported};
pub use crate::value::{Checked, Choice, FromValue, Unsigned};
