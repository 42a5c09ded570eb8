//! `admin`: where the filter answers questions about itself.

use crate::admin::Admin;
use crate::fields::Fields;
use crate::key::Key;
use crate::report::Reported;
use crate::section;
use crate::text_rule::TextRule;

section! {
    /// `admin`.
    pub static ADMIN: AdminSurface;
    PATH: Box<str> = Key::text(
        "path",
        TextRule::PathBelow,
        "\"/steerage\"",
        "requests for paths under it are answered by the filter",
    );
    TOKEN: Box<str> = Key::text(
        "token",
        TextRule::Secret,
        "–",
        "the bearer token that is asked for; without it nothing can be changed",
    );
}

#[inline(never)]
pub(super) fn admin(fields: &Fields<'_, AdminSurface>) -> Result<Admin, Reported> {
    let path = fields.get(&PATH)?;
    let path = path.as_deref().unwrap_or(DEFAULT_PATH);
    Ok(Admin {
        path: path.trim_end_matches('/').into(),
        token: fields.get(&TOKEN)?,
    })
}

const DEFAULT_PATH: &str = "/steerage";
