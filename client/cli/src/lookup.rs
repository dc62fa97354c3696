//! Finding what is meant: a chain by the id of its grant or contract, or by the beginning of its own.

use std::str::FromStr;

use countersign::{Agent, Target};
use countersign_protocol::{
    digest::ChainId,
    id::{ContractId, GrantId},
    name::InstanceId,
};

use crate::{exit::Exit, failure::Failure, view::LinkView};

/// A chain or an instance, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// An instance, in full.
    Instance(InstanceId),
    /// A grant or a contract, in full.
    Made(String),
    /// A chain, by its id or the beginning of it.
    Chain(String),
}

/// How much of a chain's id must be typed. Less would be guessing.
const LEAST_DIGITS: usize = 8;

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("spiffe://") {
            return text.parse().map(Self::Instance).map_err(|error| format!("{error}"));
        }
        if text.parse::<ContractId>().is_ok() || text.parse::<GrantId>().is_ok() {
            return Ok(Self::Made(text.to_owned()));
        }
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && (LEAST_DIGITS..=64).contains(&text.len()) {
            return Ok(Self::Chain(text.to_owned()));
        }
        Err(format!(
            "expected the id of a grant or contract, {LEAST_DIGITS} digits or more of a chain's id, or an \
             instance as spiffe://…/i/<uuid>"
        ))
    }
}

impl Name {
    /// What it names, among everything that the caller may see.
    pub(crate) async fn target(&self, agent: &Agent) -> Result<Target, Failure> {
        match self {
            Self::Instance(instance) => Ok(Target::Instance(instance.clone())),
            Self::Made(_) | Self::Chain(_) => self.chain(agent).await.map(Target::Chain),
        }
    }

    /// The chain that it names.
    pub(crate) async fn chain(&self, agent: &Agent) -> Result<ChainId, Failure> {
        // A whole id needs no list.
        if let Self::Chain(digits) = self
            && let Ok(chain) = digits.parse()
        {
            return Ok(chain);
        }
        let links = links(agent).await?;
        let link = self.only(&links)?;
        link.chain_id.parse().map_err(|_| self.unknown())
    }

    /// The one link that it names.
    pub(crate) fn only<'a>(&self, links: &'a [LinkView]) -> Result<&'a LinkView, Failure> {
        let mut named = links.iter().filter(|link| self.names(link));
        match (named.next(), named.next()) {
            (Some(link), None) => Ok(link),
            (None, _) => Err(self.unknown()),
            (Some(_), Some(_)) => Err(Failure::usage(
                format!("{self} is not clear"),
                "Several chains begin like that.",
                "Type more of the chain's id; -o json prints it in full.",
            )),
        }
    }

    fn names(&self, link: &LinkView) -> bool {
        match self {
            Self::Instance(_) => false,
            Self::Made(id) => link.id() == id,
            Self::Chain(digits) => link.chain_id.starts_with(digits.as_str()),
        }
    }

    fn unknown(&self) -> Failure {
        Failure::new(
            Exit::NotFound,
            format!("{self} was not found"),
            "No chain that you may see has that name.",
            "List what there is with countersign graph tree --all.",
        )
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instance(instance) => instance.fmt(f),
            Self::Made(text) | Self::Chain(text) => f.write_str(text),
        }
    }
}

/// Every link that the caller may see: grants first, then contracts.
pub(crate) async fn links(agent: &Agent) -> Result<Vec<LinkView>, Failure> {
    let failed = |error| Failure::sdk("The chains were not listed", &error);
    let mut links = agent.grants().await.map_err(failed)?;
    links.extend(agent.contracts(None).await.map_err(failed)?);
    Ok(links.iter().map(LinkView::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::tests;

    #[test]
    fn what_is_typed_names_one_kind_of_thing() {
        let instance = "spiffe://acme.example/agent/a/i/01939f3e-0000-7000-8000-000000000001";
        assert!(matches!(instance.parse(), Ok(Name::Instance(_))));
        assert!(matches!("01939f3e-0000-7000-8000-000000000001".parse(), Ok(Name::Made(_))));
        assert!(matches!("01020304".parse(), Ok(Name::Chain(_))));
        for bad in ["", "0102030", "ABCDEF012345", "spiffe://acme.example/agent/a", "*", &"0".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_beginning_of_an_id_names_a_chain_only_if_it_is_alone() {
        let mut links = [tests::link(1, None, "a"), tests::link(2, Some(1), "b")];
        let mut near = [2; 32];
        near[..4].fill(1);
        links[1].chain_id = ChainId::from_bytes(near);
        let links = tests::views(&links);
        let only = |text: &str| text.parse::<Name>().unwrap().only(&links).map(|link| link.id().to_owned());
        assert_eq!(only("01010101").unwrap_err().exit, Exit::Usage);
        assert_eq!(only("0101010102").unwrap(), links[1].id());
        assert_eq!(only(links[0].id()).unwrap(), links[0].id());
        assert_eq!(only("ffffffff").unwrap_err().exit, Exit::NotFound);
    }
}
