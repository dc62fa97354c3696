//! A use, as it is typed: an action, a resource, who is to do it, and arguments.

use std::str::FromStr;

use clap::Args;
use countersign::Use;
use countersign_protocol::{
    capability::{Argument, Arguments, IpName, ResourceName, Value},
    name::{PrincipalId, Word},
};

use crate::failure::Failure;

/// What is to be done.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The action, such as files:read.
    #[arg(value_name = "ACTION")]
    pub(crate) action: Word,
    /// The resource, such as file:/data/eu/q3.csv.
    #[arg(value_name = "RESOURCE")]
    pub(crate) resource: ResourceName,
    /// Who is to do it: spiffe://<trust domain>/<agent|human|service>/<name>.
    #[arg(long, value_name = "CALLEE")]
    pub(crate) at: PrincipalId,
    /// An argument as NAME=TEXT, or NAME:TYPE=VALUE where the type is int, path, ip or url; again for each.
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<Typed>,
}

/// One argument, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Typed(Argument);

impl FromStr for Typed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "expected NAME=TEXT, or NAME:TYPE=VALUE with the type int, path, ip or url";
        let (name, value) = text.split_once('=').ok_or(form)?;
        // A name may have colons itself: only a type that there is ends it.
        let (name, kind) = match name.rsplit_once(':') {
            Some((name, kind @ ("text" | "int" | "path" | "ip" | "url"))) => (name, kind),
            _ => (name, "text"),
        };
        let value = match kind {
            "int" => value.parse().map(Value::Int).map_err(|error| error.to_string()),
            "path" => value.parse().map(Value::Path).map_err(|error| error.to_string()),
            "ip" => ip(value),
            "url" => value.parse().map(Value::Url).map_err(|error| error.to_string()),
            _ => value.parse().map(Value::Text).map_err(|error| error.to_string()),
        };
        let name = name.parse().map_err(|error| format!("the name of an argument: {error}"))?;
        Ok(Self(Argument { name, value: value? }))
    }
}

fn ip(text: &str) -> Result<Value, String> {
    let address = text.parse().map_err(|error: std::net::AddrParseError| error.to_string())?;
    IpName::new(address).map(Value::Ip).ok_or_else(|| "write the IPv4 address itself".to_owned())
}

impl Wanted {
    /// The arguments, in the order in which they are signed.
    pub(crate) fn arguments(&self) -> Result<Arguments, Failure> {
        let mut arguments: Vec<Argument> = self.arguments.iter().map(|typed| typed.0.clone()).collect();
        arguments.sort();
        Arguments::new(arguments).map_err(|error| {
            Failure::usage("The arguments were not understood", format!("{error}."), "Name each one once.")
        })
    }

    /// As a question; without arguments where none was typed.
    pub(crate) fn as_use(&self) -> Result<Use, Failure> {
        let arguments = if self.arguments.is_empty() { None } else { Some(self.arguments()?) };
        let (callee, action, resource) = (self.at.clone(), self.action.clone(), self.resource.clone());
        Ok(Use { callee, action, resource, arguments })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        format!("{} {} at {}", self.action, self.resource, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_text_unless_it_says_what_it_is() {
        let typed = |text: &str| text.parse::<Typed>().map(|typed| (typed.0.name.to_string(), typed.0.value));
        assert_eq!(typed("region=eu").unwrap(), ("region".into(), Value::Text("eu".parse().unwrap())));
        assert_eq!(typed("n:int=-5").unwrap(), ("n".into(), Value::Int(-5)));
        assert_eq!(typed("q=a=b").unwrap(), ("q".into(), Value::Text("a=b".parse().unwrap())));
        assert_eq!(typed("a:b=c").unwrap(), ("a:b".into(), Value::Text("c".parse().unwrap())));
        assert!(matches!(typed("to:ip=10.0.0.1").unwrap().1, Value::Ip(_)));
        assert!(matches!(typed("in:path=/data").unwrap().1, Value::Path(_)));
        assert!(matches!(typed("of:url=https://a.example/").unwrap().1, Value::Url(_)));
        for wrong in ["region", "n:int=x", "N=1", "=1", "in:path=data", "of:url=ftp://a/"] {
            assert!(typed(wrong).is_err(), "{wrong}");
        }
    }
}
