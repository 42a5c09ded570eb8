//! Declares sections and named values.
//!
//! Example: see [`section!`](crate::section).

/// Declares a section: its type, its table, and its keys.
///
/// ```
/// use steerage_config::table::{Describe, Key};
///
/// steerage_config::section! {
///     /// How long something lasts.
///     pub static LASTS: Lasts;
///     TIMEOUT: core::time::Duration = Key::span("timeout", "5", "how long");
/// }
/// assert_eq!(LASTS.fields[0].name, TIMEOUT.field.name);
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[$comment:meta])*
        $visible:vis static $table:ident: $section:ident
            $(, and $more:ident)? $(, exactly one of $($one:ident),*)?;
        $($(#[$about:meta])* $key:ident: $type:ty = $value:expr;)*
    ) => {
        $(#[$comment])*
        $visible static $table: $crate::table::Section = $crate::table::Section {
            fields: &[$($key.field),*],
            and: $crate::section!(@and $($more)?),
            exactly_one: &[$($($one.field.name),*)?],
        };

        $(#[$comment])*
        #[derive(Debug)]
        pub(crate) enum $section {}

        impl $crate::table::Describe for $section {
            const SECTION: &'static $crate::table::Section = &$table;
        }

        $($(#[$about])* pub(crate) const $key: $crate::table::Key<$section, $type> = $value;)*
    };
    (@and) => { None };
    (@and $more:ident) => { Some(&$more) };
}

/// Implements [`Choice`](crate::table::Choice) for a type with a constant function `name`. Its
/// values are given, or those of its constant `ALL`.
#[macro_export]
macro_rules! choice {
    ($type:ty) => {
        $crate::choice!($type, <$type>::ALL);
    };
    ($type:ty, $all:expr) => {
        impl $crate::table::Choice for $type {
            const ALL: &'static [Self] = &$all;
            const NAMES: &'static [&'static str] = &{
                let mut names = [""; $all.len()];
                let (mut places, mut values): (&mut [&str], &[$type]) = (&mut names, &$all);
                while let ([place, places_left @ ..], [value, values_left @ ..]) = (places, values)
                {
                    *place = value.name();
                    (places, values) = (places_left, values_left);
                }
                names
            };
        }

        impl $crate::table::FromValue for $type {
            fn from_value(value: &$crate::table::Checked<'_>) -> Option<Self> {
                value.choice()
            }
        }
    };
}
