//! Bodies of a person's own making, for receivers that take no form of ours: a template over the ECS document.
//!
//! The language is Jinja's. Every top-level field of [the document](super::ecs) is a name, so `{{ event.reason }}` is the
//! sentence and `{{ source.ip }}` the scanner. Two names are ours: `timestamp` for `@timestamp`, which is no name in
//! Jinja, and `document` for the whole. What a message has no value for is empty. Nothing is escaped by itself: in a JSON
//! body, `tojson` makes a value what JSON wants, quotes included.
//!
//! ```text
//! {"text": {{ event.reason | tojson }}, "ports": {{ scanwatch.scan.ports | default(0) }}}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};

use super::{Message, Observer, ecs};
use crate::engine::Timestamp;
use crate::sink::Dropped;

/// Steps that one body may take: far more than any needs, and an end to loops within loops.
const STEPS_MAX: u64 = 1_000_000;

/// What a template may name: the top-level fields of documents, and the two names of ours.
const NAMES: [&str; 14] = [
    "destination",
    "document",
    "ecs",
    "event",
    "message",
    "network",
    "observer",
    "related",
    "rule",
    "scanwatch",
    "source",
    "tags",
    "threat",
    "timestamp",
];

/// A template that has been read.
#[derive(Clone)]
pub struct Template {
    text: String,
    environment: Environment<'static>,
}

impl Template {
    /// Reads a template, and tries it.
    ///
    /// # Errors
    /// One sentence where the template cannot be read, names what no document has, or fails on a message that says that
    /// records were dropped, which has no more than every message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_keep_trailing_newline(true);
        environment.set_fuel(Some(STEPS_MAX));
        let template = Self { text: text.to_owned(), environment };
        template.check_names()?;
        template.write(&Message::Dropped(&sample()), &Observer::on("sample"))?;
        Ok(template)
    }

    /// The body for a message.
    ///
    /// # Errors
    /// One sentence where the template asks of a value what cannot be done with it.
    pub fn write(&self, message: &Message, observer: &Observer) -> Result<Vec<u8>, String> {
        let template = self.environment.template_from_str(&self.text).map_err(|error| told(&error))?;
        let body = template.render(context(message, observer)).map_err(|error| told(&error))?;
        Ok(body.into_bytes())
    }

    fn check_names(&self) -> Result<(), String> {
        let template = self.environment.template_from_str(&self.text).map_err(|error| told(&error))?;
        let globals: BTreeSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        let unknown =
            used.iter().find(|name| !NAMES.contains(&name.as_str()) && !globals.contains(name.as_str()));
        unknown.map_or(Ok(()), |name| {
            Err(format!("the template names `{name}`, which no message has; known are {}", NAMES.join(", ")))
        })
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.text).finish()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

fn context(message: &Message, observer: &Observer) -> Value {
    let document = ecs::message(message, observer);
    let whole = Value::from_serialize(&document);
    let fields = document.as_object().into_iter().flatten();
    let mut names: BTreeMap<String, Value> = fields
        .map(|(name, value)| {
            let name = if name == "@timestamp" { "timestamp" } else { name };
            (name.to_owned(), Value::from_serialize(value))
        })
        .collect();
    names.insert("document".to_owned(), whole);
    Value::from_serialize(names)
}

/// What is wrong, as the library says it, without its name for a template that has none.
fn told(error: &Error) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("the template cannot be used{line}: {}{detail}", error.kind())
}

fn sample() -> Dropped {
    Dropped {
        id: "sample".to_owned(),
        at: Timestamp::default(),
        sink: "sample".to_owned(),
        records: 1,
        first: Timestamp::default(),
        last: Timestamp::default(),
        reason: "A sample.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> String {
        let dropped = Dropped { reason: "Zone \"a\nb\" <é>".to_owned(), ..sample() };
        let body = Template::parse(text).unwrap().write(&Message::Dropped(&dropped), &Observer::on("gw1"));
        String::from_utf8(body.unwrap()).unwrap()
    }

    #[test]
    fn every_field_of_the_document_has_its_name() {
        assert_eq!(body("{{ event.action }} {{ observer.hostname }}"), "records-dropped gw1");
        assert_eq!(body("{{ timestamp }}"), "1970-01-01T00:00:00.000000Z");
        assert_eq!(body("{{ scanwatch.delivery.dropped }}\n"), "1\n");
    }

    #[test]
    fn a_value_is_escaped_where_asked_for_and_nowhere_else() {
        assert_eq!(body("{{ event.reason }}"), "Zone \"a\nb\" <é>");
        let json: serde_json::Value =
            serde_json::from_str(&body("{\"t\": {{ event.reason | tojson }}}")).unwrap();
        assert_eq!(json["t"], "Zone \"a\nb\" <é>");
    }

    #[test]
    fn the_whole_document_is_at_hand() {
        let json: serde_json::Value = serde_json::from_str(&body("{{ document | tojson }}")).unwrap();
        assert_eq!(
            (&json["@timestamp"], &json["event"]["kind"]),
            (&"1970-01-01T00:00:00.000000Z".into(), &"event".into())
        );
    }

    #[test]
    fn what_a_message_has_not_is_empty_however_deep() {
        assert_eq!(body("[{{ source.ip }}{{ threat.technique.id[0] }}]"), "[]");
        assert_eq!(body("{% if source %}s{% else %}none{% endif %}"), "none");
        assert_eq!(body("{{ source.ip | default('-') }}"), "-");
    }

    #[test]
    fn loops_and_own_names_work() {
        let text = "{% set all = event.category %}{% for c in all %}{{ loop.index }}{{ c }};{% endfor %}";
        assert_eq!(body(text), "1process;");
        assert_eq!(body("{% for n in range(3) %}{{ n }}{% endfor %}"), "012");
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_with_its_reason() {
        let refused = |text: &str| Template::parse(text).unwrap_err();
        assert!(
            refused("{{ evnet.reason }}")
                .starts_with("the template names `evnet`, which no message has; known are destination, ")
        );
        assert!(
            refused("ok\n{{ event.reason")
                .starts_with("the template cannot be used in line 2: syntax error: ")
        );
        assert_eq!(
            refused("{{ event.reason | upcase }}"),
            "the template cannot be used in line 1: unknown filter: filter upcase is unknown"
        );
        assert!(
            refused("{{ event.reason.no_such_method() }}")
                .starts_with("the template cannot be used in line 1: ")
        );
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}";
        assert_eq!(refused(endless), "the template cannot be used in line 1: engine ran out of fuel");
    }
}
