//! `countersign negotiate answer`

use clap::{Args, ValueEnum};
use countersign::{Agent, Delegator, Held, RequestReply, Terms, Wanted};
use countersign_protocol::{capability::Rights, contract::Rebind, settings::LifetimeText, time::Lifetime};
use serde::Serialize;

use super::desk::{Desk, attend, choose};
use crate::{
    command::grant::rights,
    context::Context,
    failure::Failure,
    input::Source,
    lookup::Name,
    table::Page,
    terminal::{Terminal, View},
    view::RightsView,
};

/// Wait for a request that is addressed to you, and offer rights out of those that you hold.
///
/// You are shown who wants what and type offer, reject or leave. What is offered is what was asked for or,
/// with --file, what the file says. With --yes it is offered to whoever asks first.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The grant, contract or chain that you hold and delegate from.
    #[arg(value_name = "ID")]
    under: Name,
    /// A file of rights to offer instead of what is asked for; - is standard input.
    #[arg(long, value_name = "FILE", requires = "lifetime")]
    file: Option<Source>,
    /// How long those are valid from now on, such as 1h.
    #[arg(long, requires = "file")]
    lifetime: Option<LifetimeText>,
    /// How long your offer can be accepted.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    stands: LifetimeText,
    /// How old what is known of revocations may be when the right is used.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    max_staleness: LifetimeText,
    /// Whether another copy of whom you delegate to may take it over one day.
    #[arg(long, value_name = "RULE", default_value = "never")]
    rebind: RebindRule,
    /// Offer it without being asked.
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Agreed {
    negotiation_id: String,
    chain_id: String,
    holder: String,
}

/// Whether a right goes on with another copy of its holder.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RebindRule {
    /// It ends with the process that holds it.
    Never,
    /// If you consent then.
    GrantorConsent,
    /// If the trust domain attests that copy: the same principal with the same configuration.
    Domain,
}

impl From<RebindRule> for Rebind {
    fn from(rule: RebindRule) -> Self {
        match rule {
            RebindRule::Never => Self::Never,
            RebindRule::GrantorConsent => Self::GrantorConsent,
            RebindRule::Domain => Self::Domain,
        }
    }
}

#[derive(Clone, Copy)]
enum Word {
    Offer,
    Reject,
    Leave,
}

/// Asks the person at the desk.
struct Person {
    desk: Desk<Wanted, Word>,
    /// What is offered, where it is not what was asked for.
    rights: Option<Rights>,
    max_staleness: Lifetime,
    stands: Lifetime,
    rebind: Rebind,
}

impl Delegator for Person {
    async fn answer(&mut self, wanted: &Wanted) -> RequestReply {
        match self.desk.ask(wanted.clone()).await {
            Some(Word::Offer) => {
                let rights = self.rights.clone().unwrap_or_else(|| wanted.rights.clone());
                let terms = Terms::new(rights, self.max_staleness, self.stands);
                Terms { rebind: self.rebind, ..terms }.into()
            }
            Some(Word::Reject) => RequestReply::Reject,
            Some(Word::Leave) | None => RequestReply::Leave,
        }
    }
}

impl Answer {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let scope = match &self.file {
            Some(file) => Some(rights::read(file, &mut context.terminal)?),
            None => None,
        };
        let agreed = context
            .as_person(async |agent, terminal| {
                let lifetime = self.lifetime.as_ref().map_or(Lifetime::from_millis(0), |lifetime| lifetime.0);
                let rights = match &scope {
                    Some(scope) => Some(scope.between(agent.now(), lifetime).ok_or_else(no_time)?),
                    None => None,
                };
                let chain = self.under.chain(agent).await?;
                let held = agent.held(chain).await;
                let held = held.map_err(|error| Failure::sdk("There is nothing to delegate from", &error))?;
                self.negotiate(agent, terminal, &held, rights).await
            })
            .await?;
        context.terminal.show(&agreed)
    }

    async fn negotiate(
        &self,
        agent: &Agent,
        terminal: &mut Terminal,
        held: &Held,
        rights: Option<Rights>,
    ) -> Result<Agreed, Failure> {
        let (max_staleness, stands) = (self.max_staleness.0, self.stands.0);
        let rebind = self.rebind.into();
        let failed = |error| Failure::sdk("There is no contract", &error);
        let negotiating = async |desk| {
            let mut person = Person { desk, rights, max_staleness, stands, rebind };
            let delegated = agent.delegate(held, &mut person).await.map_err(failed)?;
            Ok(Agreed {
                negotiation_id: delegated.negotiation.to_string(),
                chain_id: delegated.outcome.map_err(failed)?.to_string(),
                holder: delegated.delegatee.to_string(),
            })
        };
        attend(terminal, negotiating, |terminal, wanted| self.decide(terminal, wanted)).await
    }

    fn decide(&self, terminal: &mut Terminal, wanted: &Wanted) -> Result<Word, Failure> {
        if self.yes {
            return Ok(if wanted.declined { Word::Reject } else { Word::Offer });
        }
        terminal.note(&format!("{} wants", wanted.delegatee), &RightsView::from(&wanted.rights).fields());
        if wanted.declined {
            terminal.say("It turned your last offer down.");
        }
        choose(
            terminal,
            "What do you say?",
            &[("offer", Word::Offer), ("reject", Word::Reject), ("leave", Word::Leave)],
        )
    }
}

fn no_time() -> Failure {
    rights::no_rights("--lifetime is no time at all.")
}

impl View for Agreed {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("delegated to", self.holder.clone()),
            ("negotiation", self.negotiation_id.clone()),
            ("chain", self.chain_id.clone()),
        ]);
    }
}
