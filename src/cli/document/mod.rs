//! A file as a tree of values, each with its place in the text.
//!
//! | file | what |
//! |---|---|
//! | `node` | the tree |
//! | `json` | reads JSON, also where it is broken, as far as it goes |
//! | `yaml` | reads a stream of YAML documents |
//! | `lines` | lines and columns of a text |
//! | `places` | the place of a value that an error names by its path |
//! | `embedded` | a text within a text: the JSON in a string of an Envoy's configuration |
//!
//! Why not `serde`: it keeps no places, and drops repeated keys, which are errors.
//!
//! Limits: an alias of YAML is read as what it stands for, a merge key (`<<`) as any other key.
//!
//! Example: in `{"timeout": {"read": 0}}`, the value of `timeout.read` begins at byte 21, which is
//! line 1, column 22.

pub(crate) mod embedded;
pub(crate) mod json;
pub(crate) mod lines;
mod node;
pub(crate) mod places;
pub(crate) mod yaml;

pub(crate) use node::{Member, Node, Value};
