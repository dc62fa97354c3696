//! `countersign negotiate ask`

use clap::Args;
use countersign::{Agent, Delegatee, Held, Offer, OfferReply};
use countersign_protocol::{
    capability::Rights, limits::ROUNDS_MAX, name::PrincipalId, settings::LifetimeText,
};
use serde::Serialize;

use super::desk::{Desk, attend, choose};
use crate::{
    command::grant::rights,
    context::Context,
    failure::Failure,
    input::Source,
    table::Page,
    terminal::{Terminal, View},
    view::RightsView,
};

/// Ask an agent, a service or a person for rights, and decide on each offer.
///
/// You are shown what is offered and type accept, decline or reject. With --yes the first offer that
/// gives all that you asked for is accepted, and any other one declined.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Who is asked.
    #[arg(value_name = "PRINCIPAL")]
    from: PrincipalId,
    /// The file of the rights that you want, as for countersign grant create; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Source,
    /// How long they are to be valid from now on, such as 1h.
    #[arg(long)]
    lifetime: LifetimeText,
    /// What for. Only a digest of it is sent: tell them by a way of your own.
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// How long you are willing to negotiate.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    within: LifetimeText,
    /// How many times you may turn an offer down, and one more.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(ROUNDS_MAX)))]
    rounds: u32,
    /// Accept what gives all that was asked for.
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Agreed {
    contract_id: String,
    chain_id: String,
    from: String,
    rights: RightsView,
}

#[derive(Clone, Copy)]
enum Word {
    Accept,
    Decline,
    Reject,
}

/// Asks the person at the desk.
struct Person(Desk<Offer, Word>);

impl Delegatee for Person {
    async fn answer(&mut self, offer: &Offer) -> OfferReply {
        match self.0.ask(offer.clone()).await {
            Some(Word::Accept) => OfferReply::Accept,
            Some(Word::Decline) => OfferReply::Decline,
            Some(Word::Reject) | None => OfferReply::Reject,
        }
    }
}

impl Ask {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let scope = rights::read(&self.file, &mut context.terminal)?;
        let agreed = context
            .as_person(async |agent, terminal| {
                let rights = scope.between(agent.now(), self.lifetime.0);
                let rights = rights.ok_or_else(|| rights::no_rights("--lifetime is no time at all."))?;
                let held = self.negotiate(agent, terminal, rights).await?;
                Ok(Agreed::from(&held))
            })
            .await?;
        context.terminal.show(&agreed)?;
        context.terminal.say(&format!("Use it with: countersign invoke {}", agreed.contract_id));
        Ok(())
    }

    async fn negotiate(
        &self,
        agent: &Agent,
        terminal: &mut Terminal,
        rights: Rights,
    ) -> Result<Held, Failure> {
        let ask = countersign::Ask {
            rights,
            purpose: self.purpose.clone(),
            deadline: agent.now().plus(self.within.0),
            max_rounds: self.rounds,
        };
        let negotiating = async |desk| {
            let agreed = agent.negotiate(&self.from, ask, &mut Person(desk)).await;
            agreed.map_err(|error| Failure::sdk("There is no contract", &error))
        };
        attend(terminal, negotiating, |terminal, offer| self.decide(terminal, offer)).await
    }

    fn decide(&self, terminal: &mut Terminal, offer: &Offer) -> Result<Word, Failure> {
        if self.yes {
            return Ok(if gives(&offer.contract.rights, &offer.asked) {
                Word::Accept
            } else {
                Word::Decline
            });
        }
        terminal.note("Offered", &RightsView::from(&offer.contract.rights).fields());
        let choices = [("accept", Word::Accept), ("decline", Word::Decline), ("reject", Word::Reject)];
        let left = offer.rounds_left;
        // A decline would use the last round.
        let choices = if left > 0 { &choices[..] } else { &[choices[0], choices[2]][..] };
        choose(terminal, &format!("Round {}, {left} left after it.", offer.round), choices)
    }
}

/// Whether an offer gives all that was asked for.
fn gives(offered: &Rights, asked: &Rights) -> bool {
    let within_one = |narrow| offered.capabilities.iter().any(|wide| wide.contains(narrow));
    asked.capabilities.iter().all(within_one)
        && asked.audiences.is_subset(&offered.audiences)
        && offered.not_before <= asked.not_before
        && asked.not_after <= offered.not_after
        && offered.budget.unit == asked.budget.unit
        && asked.budget.ceiling <= offered.budget.ceiling
        && asked.budget.per_call <= offered.budget.per_call
        && offered.budget.window == asked.budget.window
        && asked.delegations_left <= offered.delegations_left
}

impl From<&Held> for Agreed {
    fn from(held: &Held) -> Self {
        let contract = held.contract();
        Self {
            contract_id: contract.map(|contract| contract.contract_id.to_string()).unwrap_or_default(),
            chain_id: held.chain_id().to_string(),
            from: contract.map(|contract| contract.grantor.instance.to_string()).unwrap_or_default(),
            rights: RightsView::from(held.rights()),
        }
    }
}

impl View for Agreed {
    fn write(&self, page: &mut Page) {
        let mut fields = vec![("contract", self.contract_id.clone()), ("from", self.from.clone())];
        fields.extend(self.rights.fields());
        fields.push(("chain", self.chain_id.clone()));
        page.fields(&fields);
    }
}
