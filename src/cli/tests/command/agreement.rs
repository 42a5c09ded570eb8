//! Program, parser and schema agree on which configurations are good.

use jsonschema::Validator;
use serde_json::Value;
use steerage_config::{ConfigError, ConfigErrors, Problem, parse_role};

use crate::mutation::documents;
use crate::samples::samples;
use crate::steerage;

fn schema() -> Validator {
    let schema = serde_json::from_str(&steerage(&["schema"], b"").output).expect("JSON");
    jsonschema::meta::validate(&schema).expect("a schema");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// The document as text. A control character would be taken for a sign of binary data.
fn text_of(document: &Value) -> String {
    format!("{document:#}").replace('\u{7f}', "\\u007f")
}

#[test]
fn the_schema_takes_every_sample() {
    let schema = schema();
    for sample in samples() {
        let document = serde_json::from_str(&sample).expect("JSON");
        let errors: Vec<_> = schema
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{sample}\n{}", errors.join("\n"));
    }
}

/// Whether a schema cannot express this rule, see the documentation of `steerage_cli::schema`.
fn is_beyond_a_schema(error: &ConfigError) -> bool {
    match &error.problem {
        Problem::Duplicate { .. }
        | Problem::BothSpellings { .. }
        | Problem::AtLeast { .. }
        | Problem::AtMost { .. }
        | Problem::RequiredWith { .. }
        | Problem::RequiredBeside { .. }
        | Problem::OnlyWith { .. }
        | Problem::OnlyOfAnswers
        | Problem::Regex(_)
        | Problem::Expression(_)
        | Problem::NoDelay { .. }
        | Problem::NoHostToCheck
        | Problem::Repeated => true,
        // Names that differ only in case.
        _ => false,
    }
}

#[test]
fn the_schema_and_the_parser_take_the_same_configurations() {
    let schema = schema();
    let (mut good, mut bad, mut beyond) = (0, 0, 0);
    for document in documents(&samples(), 20_000) {
        let parsed = parse_role(text_of(&document).as_bytes());
        let taken = schema.is_valid(&document);
        match &parsed {
            Ok(_) => {
                good += 1;
                assert!(taken, "only the parser takes {document}");
            }
            Err(errors) if errors.iter().all(is_beyond_a_schema) => {
                beyond += 1;
                assert!(taken, "{errors}\n{document}");
            }
            Err(errors) => {
                bad += 1;
                assert!(!taken, "only the schema takes {document}\n{errors}");
            }
        }
    }
    assert!(
        good > 1_000 && bad > 1_000 && beyond > 20,
        "{good} {bad} {beyond}"
    );
}

/// The errors as `check --format json` gives them.
fn as_found(errors: &ConfigErrors) -> Vec<(String, String)> {
    let found = |error: &ConfigError| {
        let value = error.value.as_ref();
        let value = value.map_or_else(String::new, |value| format!(", got {value}"));
        (error.path.to_string(), format!("{}{value}", error.problem))
    };
    errors.iter().map(found).collect()
}

#[test]
fn check_says_what_the_parser_of_the_filter_says() {
    let mut refused = 0;
    for document in documents(&samples(), 1_000) {
        let text = text_of(&document);
        let run = steerage(&["check", "--format", "json", "-"], text.as_bytes());
        let found: Value = serde_json::from_str(&run.output).expect("JSON");
        let mut expected = match parse_role(text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(errors) => as_found(&errors),
        };
        let mut errors: Vec<_> = found["errors"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|error| {
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                assert!(error["line"].as_u64() > Some(0), "{error}");
                (text("path"), text("message"))
            })
            .collect();
        // One is in the order of the text, the other in that of the checks.
        errors.sort();
        expected.sort();
        assert_eq!(errors, expected, "{text}");
        assert_eq!(run.status, i32::from(!expected.is_empty()));
        refused += usize::from(!expected.is_empty());
    }
    assert!((200..900).contains(&refused), "{refused}");
}
