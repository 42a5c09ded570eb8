//! Whether Kubernetes would accept a resource, by its custom resource definition. Fields that are
//! not described are refused.
//!
//! The definitions are no part of this repository: `STEERAGE_CRDS` names a folder of them, as YAML,
//! and without it these tests say that they are skipped. Istio publishes its own as
//! `kubernetes/customresourcedefinitions.gen.yaml` of `istio/api`, Envoy Gateway with its Helm
//! chart.
//!
//! Limits: of the rules in the Common Expression Language only the one for durations is known,
//! because it is the one that a schema would be expected to hold. HTTPRoute belongs to the Gateway
//! API and comes with neither.
//!
//! Example: `retries: {attempt: 0}` is refused, and so is `timeout: 0s` in a VirtualService: Istio
//! wants 1 ms at least.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::{env, fs};

use jsonschema::Validator;
use serde::Deserialize as _;
use serde_json::{Value, json};
use steerage_config::duration;

/// All definitions that are known.
pub(crate) struct Definitions {
    all: Vec<Value>,
    /// The schemas used so far, by version and kind: compiling one takes longer than all of its
    /// uses.
    compiled: RefCell<BTreeMap<String, Compiled>>,
}

/// The schema of a kind of resources.
#[derive(Clone)]
struct Compiled {
    schema: Rc<Value>,
    validator: Rc<Validator>,
}

/// Why a resource is refused.
#[derive(Debug)]
pub(crate) enum Complaint {
    /// There is no definition of this kind and version.
    NoDefinition,
    /// It does not follow its definition.
    Of(String),
}

impl Definitions {
    /// Those of `STEERAGE_CRDS`; without it says that a test is skipped.
    pub(crate) fn load() -> Option<Self> {
        let Some(folder) = env::var_os("STEERAGE_CRDS") else {
            eprintln!("skipped: no CRDs, set STEERAGE_CRDS");
            return None;
        };
        let mut definitions = Vec::new();
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                definitions.extend(yaml(&fs::read_to_string(path).expect("text")));
            }
        }
        Some(Self {
            all: definitions,
            compiled: RefCell::default(),
        })
    }

    /// Whether Kubernetes would take the resource.
    pub(crate) fn complaint(&self, resource: &Value) -> Result<(), Complaint> {
        let Compiled { schema, validator } =
            self.compiled(resource).ok_or(Complaint::NoDefinition)?;
        if let Some(error) = validator.iter_errors(resource).next() {
            return Err(Complaint::Of(format!("{}: {error}", error.instance_path())));
        }
        durations(&schema, resource).map_err(Complaint::Of)
    }

    fn compiled(&self, resource: &Value) -> Option<Compiled> {
        let name = format!("{} {}", resource["apiVersion"], resource["kind"]);
        if let Some(known) = self.compiled.borrow().get(&name) {
            return Some(known.clone());
        }
        let schema = self.schema_of(resource)?;
        let compiled = Compiled {
            validator: Rc::new(jsonschema::validator_for(&schema).expect("a schema")),
            schema: Rc::new(schema),
        };
        self.compiled.borrow_mut().insert(name, compiled.clone());
        Some(compiled)
    }

    fn schema_of(&self, resource: &Value) -> Option<Value> {
        let (group, version) = resource["apiVersion"].as_str()?.split_once('/')?;
        let definition = self.all.iter().find(|definition| {
            definition["spec"]["group"] == group
                && definition["spec"]["names"]["kind"] == resource["kind"]
        })?;
        let mut versions = definition["spec"]["versions"].as_array()?.iter();
        let version = versions.find(|known| known["name"] == version)?;
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        // What every resource has. Some definitions leave it out.
        let text = json!({"type": "string"});
        schema["properties"]["apiVersion"] = text.clone();
        schema["properties"]["kind"] = text.clone();
        schema["properties"]["metadata"] = json!({
            "type": "object",
            "properties": {"name": text, "namespace": text},
            "required": ["name"],
        });
        schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
        close(&mut schema);
        Some(schema)
    }
}

/// Every document of a text in YAML.
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let open = object.contains_key("x-kubernetes-preserve-unknown-fields");
            if object.get("properties").is_some_and(Value::is_object)
                && object.get("type") == Some(&json!("object"))
                && !open
            {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// Whether all durations are as long as the rules of the definition say.
fn durations(schema: &Value, value: &Value) -> Result<(), String> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            let of_all = &schema["additionalProperties"];
            durations(schema["properties"].get(name).unwrap_or(of_all), field)
        }),
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| durations(&schema["items"], item)),
        Value::String(text) => {
            let mut rules = schema["x-kubernetes-validations"]
                .as_array()
                .into_iter()
                .flatten();
            let ruled = rules.any(|rule| rule["rule"] == "duration(self) >= duration('1ms')");
            let long = duration::from_text(text).is_some_and(|span| span.as_millis() >= 1);
            match ruled && !long {
                true => Err(format!("{text} is no duration of 1ms or more")),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

#[test]
fn resources_are_refused_for_the_right_reason() {
    let Some(definitions) = Definitions::load() else {
        return;
    };
    let service = |route: Value| {
        definitions.complaint(&json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "a"}, "spec": {"hosts": ["a"], "http": [route]},
        }))
    };
    assert!(service(json!({"timeout": "1s", "retries": {"attempts": 0}})).is_ok());
    for (route, part) in [
        (json!({"retries": {"attempt": 0}}), "attempt"),
        (json!({"timeout": "0s"}), "0s is no duration"),
    ] {
        match service(route) {
            Err(Complaint::Of(complaint)) => assert!(complaint.contains(part), "{complaint}"),
            other => panic!("{other:?}"),
        }
    }
}
