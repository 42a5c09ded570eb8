//! What was found, as others read it.

mod checked;
mod github;
mod json;
mod sarif;
mod text;

pub(crate) use checked::Checked;

use crate::arguments::CheckFormat;

/// The output in a format.
pub(crate) fn written(checked: &Checked<'_>, format: CheckFormat, colour: bool) -> String {
    match format {
        CheckFormat::Text => text::written(checked, colour),
        CheckFormat::Json => json::written(checked),
        CheckFormat::Sarif => sarif::written(checked),
        CheckFormat::Github => github::written(checked),
    }
}
