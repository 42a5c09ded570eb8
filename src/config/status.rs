//! HTTP statuses as a configuration writes them: `503`, `"500-504"`, `"5xx"`.

use core::ops::RangeInclusive;

use crate::kind::{HIGHEST_STATUS, LOWEST_STATUS};

/// The statuses of `"500-504"` or `"5xx"`.
pub(crate) fn range(text: &str) -> Option<RangeInclusive<u16>> {
    if let Some((low, high)) = text.split_once('-') {
        let (low, high) = (number(low)?, number(high)?);
        return (low <= high).then_some(low..=high);
    }
    let class: u16 = text
        .strip_suffix("xx")
        .filter(|class| class.len() == 1)?
        .parse()
        .ok()?;
    let low = known(class * 100)?;
    Some(low..=low + 99)
}

fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    known(text.parse().ok().filter(|_| digits)?)
}

fn known(status: u16) -> Option<u16> {
    (LOWEST_STATUS..=HIGHEST_STATUS)
        .contains(&status)
        .then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::kind::STATUS;
    use crate::report::Errors;
    use crate::value::FromValue as _;

    #[test]
    fn numbers_ranges_and_classes() {
        for (json, expected) in [
            ("503", Some(503..=503)),
            ("503.0", Some(503..=503)),
            (r#""500-504""#, Some(500..=504)),
            (r#""500-500""#, Some(500..=500)),
            (r#""5xx""#, Some(500..=599)),
            (r#""1xx""#, Some(100..=199)),
            ("99", None),
            ("600", None),
            ("500.5", None),
            (r#""503""#, None),
            (r#""504-500""#, None),
            (r#""500-600""#, None),
            (r#""500-+504""#, None),
            (r#""500-""#, None),
            (r#""0xx""#, None),
            (r#""6xx""#, None),
            (r#""5XX""#, None),
            (r#""+5xx""#, None),
            (r#""+xx""#, None),
            ("null", None),
        ] {
            let value = serde_json::from_str(json).unwrap();
            let checked = check::value(&STATUS, &value, "", &mut Errors::default());
            assert_eq!(RangeInclusive::from_value(&checked), expected, "{json}");
        }
    }
}
