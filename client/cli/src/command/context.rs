//! `countersign context`: in which trust domain commands act.

use clap::{Args, Subcommand};
use countersign_protocol::name::TrustDomain;
use serde::Serialize;

use crate::{context::Context as Running, failure::Failure, table::Page, terminal::View};

#[derive(Debug, Subcommand)]
pub(crate) enum Context {
    /// List the trust domains that you have sessions in; the current one has a star.
    List,
    Use(Use),
    /// Forget which one is current: then --domain says it, or the only session.
    Unset,
}

/// Make one of them the current one, in which commands act without --domain.
#[derive(Debug, Args)]
pub(crate) struct Use {
    /// The trust domain.
    #[arg(value_name = "DOMAIN")]
    name: TrustDomain,
}

#[derive(Serialize)]
struct Contexts {
    contexts: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    trust_domain: String,
    current: bool,
    session: String,
}

impl Context {
    pub(crate) fn run(self, running: &mut Running) -> Result<(), Failure> {
        let home = running.home()?;
        match self {
            Self::List => {}
            Self::Use(Use { name }) => home.choose(Some(&name))?,
            Self::Unset => home.choose(None)?,
        }
        let current = home.current()?;
        let entry = |domain: TrustDomain| Entry {
            current: current.as_ref() == Some(&domain),
            session: home.session_of(&domain).path().display().to_string(),
            trust_domain: domain.to_string(),
        };
        let contexts = home.sessions()?.into_iter().map(entry).collect();
        running.terminal.show(&Contexts { contexts })
    }
}

impl View for Contexts {
    const ROWS: Option<&'static str> = Some("contexts");

    fn write(&self, page: &mut Page) {
        let row = |entry: &Entry| {
            let mark = if entry.current { "*" } else { "" };
            vec![mark.to_owned(), entry.trust_domain.clone(), entry.session.clone()]
        };
        let none = "There are none. Join a trust domain with countersign join.";
        page.table(&["CURRENT", "TRUST DOMAIN", "SESSION"], self.contexts.iter().map(row).collect(), none);
    }
}
