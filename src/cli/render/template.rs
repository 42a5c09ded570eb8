//! Fills the templates, which are files in `templates/`.
//!
//! | filter | writes |
//! |---|---|
//! | `quoted` | a text in double quotes, as JSON and YAML have them |
//! | `flow` | a value on one line, as JSON with blanks |
//! | `block(n)` | a text of several lines, each indented |
//! | `indented(n)` | the same for the text of a template |
//!
//! A name that is not given is an error, and the tests fill every template.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value as Filled};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

use super::yaml::{block, flow, indented, quoted};

/// The templates by their names.
const TEMPLATES: [(&str, &str); 10] = [
    ("envoy.yaml", include_str!("templates/envoy.yaml.jinja")),
    (
        "by_router.yaml",
        include_str!("templates/by_router.yaml.jinja"),
    ),
    ("istio.yaml", include_str!("templates/istio.yaml.jinja")),
    (
        "istio/plugin.yaml",
        include_str!("templates/istio/plugin.yaml.jinja"),
    ),
    (
        "istio/module.yaml",
        include_str!("templates/istio/module.yaml.jinja"),
    ),
    (
        "istio/routes.yaml",
        include_str!("templates/istio/routes.yaml.jinja"),
    ),
    (
        "istio/cluster_header.yaml",
        include_str!("templates/istio/cluster_header.yaml.jinja"),
    ),
    (
        "istio/by_router.yaml",
        include_str!("templates/istio/by_router.yaml.jinja"),
    ),
    (
        "istio/hosts.yaml",
        include_str!("templates/istio/hosts.yaml.jinja"),
    ),
    ("gateway.yaml", include_str!("templates/gateway.yaml.jinja")),
];

/// The template with these values in it.
///
/// # Errors
/// A fault of the template, as a complaint.
pub(super) fn filled(name: &str, values: &Value) -> Result<String, String> {
    let filled = environment().and_then(|environment| {
        let template = environment.get_template(name)?;
        template.render(Filled::from(Serde(values.clone())))
    });
    filled.map_err(|error| format!("the template {name}: {error:#}"))
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("quoted", |text: &str| quoted(text));
    environment.add_filter("flow", |Serde(value): Serde<Value>| flow(&value));
    environment.add_filter("block", block);
    environment.add_filter("indented", indented);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}
