//! What a link allows.

use countersign_protocol::{
    capability::{Capability, Constraint, Rights, Rule},
    settings::LifetimeText,
};
use serde::Serialize;

/// Rights as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RightsView {
    pub(crate) capabilities: Vec<CapabilityView>,
    pub(crate) audiences: Vec<String>,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) budget: BudgetView,
    pub(crate) delegations_left: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CapabilityView {
    pub(crate) resource: String,
    pub(crate) actions: Vec<String>,
    pub(crate) constraints: Vec<ConstraintView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ConstraintView {
    pub(crate) argument: String,
    #[serde(flatten)]
    pub(crate) rule: RuleView,
}

/// A rule under the name that a file of rights has for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuleView {
    OneOf(ChoicesView),
    Range { min: i64, max: i64 },
    PathPrefix(String),
    Cidr(String),
    Url(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum ChoicesView {
    Texts(Vec<String>),
    Numbers(Vec<i64>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetView {
    pub(crate) unit: String,
    pub(crate) ceiling: u64,
    pub(crate) per_call: u64,
    pub(crate) window: Option<WindowView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WindowView {
    pub(crate) ceiling: u64,
    pub(crate) length_ms: u64,
    #[serde(skip)]
    length: String,
}

impl From<&Rights> for RightsView {
    fn from(rights: &Rights) -> Self {
        let budget = &rights.budget;
        Self {
            capabilities: rights.capabilities.iter().map(CapabilityView::from).collect(),
            audiences: rights.audiences.iter().map(ToString::to_string).collect(),
            not_before: rights.not_before.to_string(),
            not_after: rights.not_after.to_string(),
            budget: BudgetView {
                unit: budget.unit.to_string(),
                ceiling: budget.ceiling.get(),
                per_call: budget.per_call.get(),
                window: budget.window.as_ref().map(|window| WindowView {
                    ceiling: window.ceiling.get(),
                    length_ms: window.length.as_millis(),
                    length: LifetimeText(window.length).to_string(),
                }),
            },
            delegations_left: rights.delegations_left,
        }
    }
}

impl From<&Capability> for CapabilityView {
    fn from(capability: &Capability) -> Self {
        Self {
            resource: capability.resource.to_string(),
            actions: capability.actions.iter().map(ToString::to_string).collect(),
            constraints: capability.constraints.iter().map(ConstraintView::from).collect(),
        }
    }
}

impl From<&Constraint> for ConstraintView {
    fn from(constraint: &Constraint) -> Self {
        let rule = match &constraint.rule {
            Rule::TextIn(texts) => {
                RuleView::OneOf(ChoicesView::Texts(texts.iter().map(ToString::to_string).collect()))
            }
            Rule::IntIn(numbers) => RuleView::OneOf(ChoicesView::Numbers(numbers.as_slice().to_vec())),
            Rule::IntRange(range) => RuleView::Range { min: range.min, max: range.max },
            Rule::PathUnder(path) => RuleView::PathPrefix(path.to_string()),
            Rule::IpIn(block) => RuleView::Cidr(block.to_string()),
            Rule::UrlUnder(url) => {
                RuleView::Url(format!("{}://{}:{}{}", url.scheme, url.host, url.port, url.path))
            }
        };
        Self { argument: constraint.argument.to_string(), rule }
    }
}

impl RightsView {
    /// What may be done, one line for each capability and each of its constraints.
    pub(crate) fn what(&self) -> Vec<String> {
        self.capabilities.iter().flat_map(CapabilityView::lines).collect()
    }

    /// What may be done, briefly.
    pub(crate) fn summary(&self) -> String {
        let first = self.capabilities.first().map(CapabilityView::brief).unwrap_or_default();
        match self.capabilities.len() {
            0 | 1 => first,
            several => format!("{first} (and {} more)", several - 1),
        }
    }

    /// Names and values, for a page.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields: Vec<_> = self.what().into_iter().map(|line| ("may", line)).collect();
        // The name stands beside the first line only.
        fields.iter_mut().skip(1).for_each(|(name, _)| *name = "");
        fields.push(("at", self.audiences.join(", ")));
        fields.push(("budget", self.budget.line()));
        fields.push(("valid", format!("from {} until {}", self.not_before, self.not_after)));
        fields.push(("delegations left", self.delegations_left.to_string()));
        fields
    }

    /// The same as lines of a tree.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |(name, value): (&str, String)| match name {
            "" => format!("      {value}"),
            _ => format!("  {name} {value}"),
        };
        self.fields().into_iter().map(line).collect()
    }
}

impl CapabilityView {
    fn brief(&self) -> String {
        let some = if self.constraints.is_empty() { "" } else { " (with constraints)" };
        format!("{} on {}{some}", self.actions.join(", "), self.resource)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} on {}", self.actions.join(", "), self.resource)];
        lines.extend(self.constraints.iter().map(|constraint| format!("  where {}", constraint.line())));
        lines
    }
}

impl ConstraintView {
    fn line(&self) -> String {
        let argument = &self.argument;
        match &self.rule {
            // Quoted, so that no text can pass for more than itself.
            RuleView::OneOf(ChoicesView::Texts(texts)) => among(argument, texts),
            RuleView::OneOf(ChoicesView::Numbers(numbers)) => among(argument, numbers),
            RuleView::Range { min, max } => format!("{argument} is from {min} to {max}"),
            RuleView::PathPrefix(path) => format!("{argument} is the path {path} or beneath it"),
            RuleView::Cidr(block) => format!("{argument} is an address in {block}"),
            RuleView::Url(url) => format!("{argument} is the URL {url} or beneath it"),
        }
    }
}

fn among(argument: &str, choices: &[impl std::fmt::Debug]) -> String {
    let texts: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    match texts.as_slice() {
        [only] => format!("{argument} is {only}"),
        _ => format!("{argument} is one of {}", texts.join(", ")),
    }
}

impl BudgetView {
    /// For people.
    pub(crate) fn line(&self) -> String {
        let Self { unit, ceiling, per_call, window } = self;
        let within = match window {
            Some(window) => format!(", at most {} in each {}", window.ceiling, window.length),
            None => String::new(),
        };
        format!("{ceiling} {unit} in all, {per_call} for each call{within}")
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{
        settings::{self, Scope},
        time::{Lifetime, Timestamp},
    };

    use super::*;

    const RIGHTS: &str = r#"
audiences = ["spiffe://prod.acme.example/service/files"]
delegations_left = 3
budget = { unit = "calls", ceiling = 500, per_call = 1, window = { ceiling = 50, length = "1m" } }

[[capability]]
resource = "file:/data/**"
actions = ["files:read", "files:list"]

[[capability]]
resource = "api:/orders/*"
actions = ["http:get"]
constraints = [
    { argument = "url", url = "https://*.example.com/v1" },
    { argument = "limit", range = { min = -5, max = 1000 } },
    { argument = "region", one_of = ["eu", "us\u001b[2J"] },
    { argument = "version", equals = 2 },
    { argument = "path", path_prefix = "/data/eu" },
    { argument = "peer", cidr = "10.1.0.0/16" },
]
"#;

    fn view() -> RightsView {
        let scope = settings::read("rights.toml", RIGHTS, Scope::read).unwrap();
        let from = Timestamp::new(1_800_000_000_000).unwrap();
        RightsView::from(&scope.between(from, Lifetime::from_millis(3_600_000)).unwrap())
    }

    #[test]
    fn rights_are_told_in_words() {
        let expected = r#"files:list, files:read on file:/data/**
http:get on api:/orders/*
  where limit is from -5 to 1000
  where path is the path /data/eu or beneath it
  where peer is an address in 10.1.0.0/16
  where region is one of "eu", "us\u{1b}[2J"
  where url is the URL https://*.example.com:443/v1 or beneath it
  where version is 2"#;
        assert_eq!(view().what().join("\n"), expected);
        assert_eq!(view().summary(), "files:list, files:read on file:/data/** (and 1 more)");
        let fields = view().fields();
        assert_eq!(fields[1], ("", "http:get on api:/orders/*".to_owned()));
        let budget = "500 calls in all, 1 for each call, at most 50 in each 1m";
        assert!(fields.contains(&("budget", budget.to_owned())));
    }

    #[test]
    fn the_names_in_json_are_those_of_a_file_of_rights() {
        let json = serde_json::to_value(view()).unwrap();
        assert_eq!(json["not_after"], "2027-01-15T09:00:00.000Z");
        assert_eq!(json["budget"]["window"]["length_ms"], 60_000);
        let constraints = &json["capabilities"][1]["constraints"];
        assert_eq!(
            constraints[0],
            serde_json::json!({"argument": "limit", "range": {"min": -5, "max": 1000}})
        );
        assert_eq!(constraints[3]["one_of"][0], "eu");
        assert_eq!(constraints[5]["one_of"], serde_json::json!([2]));
    }
}
