//! A stranger who asks for what exists, and for what does not: it hears the same.

use countersign_forge::{Agent, domain};
use countersign_protocol::{
    digest::ChainId,
    domain::{Context, State},
    explain,
    id::{InstanceUuid, InvocationId, NegotiationId, RequestId},
    negotiation::{MoveKind, empty_transcript},
    refusal::{Refusal, View, Viewer},
    signed::Statement,
    trust::KeyPurpose,
};
use rand::Rng;

use super::pick;
use crate::{
    invariant::Invariant,
    model::Standing,
    party::{Conversation, seat},
    plan::{Step, counted},
    stop::{Flow, hold},
    world::World,
};

counted! {
    /// What a stranger asks about.
    Question {
        /// A negotiation of others.
        Negotiation,
        /// A chain of others.
        Chain,
        /// An instance.
        Instance,
        /// An invocation of others.
        Invocation,
        /// Who it is itself: unknown, or revoked.
        Itself,
    }
}

impl World {
    /// Asks twice, and compares what a stranger is told.
    pub(crate) fn probe(&mut self, step: &Step) -> Flow {
        // Few were revoked: whoever was is asked about as often as anything else.
        let question = match self.gone().is_empty() {
            false if step.who < 128 => Question::Itself,
            _ => Question::ALL[usize::from(step.what) % Question::ALL.len()],
        };
        let mallory = seat("mallory");
        if self.parties[mallory].out || self.process.is_none() {
            return Ok(());
        }
        let told = match question {
            Question::Negotiation => self.ask_negotiation(mallory, step),
            Question::Chain => self.ask_chain(mallory, step),
            Question::Instance => self.ask_instance(mallory, step),
            Question::Invocation => self.ask_invocation(mallory, step),
            Question::Itself => self.ask_itself(step),
        };
        let Some([there, not_there]) = told else { return Ok(()) };
        self.tally.count("question", question.name());
        for view in [&there, &not_there].into_iter().flatten() {
            self.tally.count("refusal", view.reason.name());
        }
        hold(Invariant::Secrecy, there == not_there, || {
            format!("a stranger is told {there:?} of what exists, and {not_there:?} of what does not")
        })
    }

    /// What a stranger is told by a decision on the state as it is; `None` where it was not refused.
    fn told(&self, decide: impl FnOnce(&State, &Context<'_>) -> Result<(), Refusal>) -> Option<View> {
        let state = &self.process.as_ref()?.state;
        let next = state.tree().size().next_leaf();
        let capability_key = self.keys.signer(KeyPurpose::Capability, next);
        let rebind_key = self.keys.signer(KeyPurpose::Rebind, next).1;
        let domain = domain();
        let context = Context {
            now: self.time_of(state),
            policy: &self.policy,
            capability_key,
            rebind_key,
            domain: &domain,
        };
        decide(state, &context).err().map(|refusal| refusal.view(Viewer::Stranger))
    }

    fn ask_negotiation(&mut self, who: usize, step: &Step) -> Option<[Option<View>; 2]> {
        let mine = self.talks_of(who);
        let others = self.witness.model.talks.keys().filter(|id| !mine.contains(id)).copied();
        let there = pick(step.which, &others.collect::<Vec<_>>())?;
        let told = self.read_account(there)?;
        let talk = Conversation::follow(None, &told, |instance| self.read_party(instance)).ok()?;
        let kinds =
            [MoveKind::Counter, MoveKind::Decline, MoveKind::Accept, MoveKind::Reject, MoveKind::Withdraw];
        let kind = kinds[usize::from(step.how) % kinds.len()];
        let known = self.any_move(who, &talk, kind, step.who)?;
        let mut unknown = known.clone();
        unknown.negotiation_id = NegotiationId::new(self.now, &mut self.rng);
        unknown.transcript = empty_transcript(&unknown.domain, unknown.negotiation_id);
        unknown.request_id = RequestId::new(self.now, &mut self.rng);
        let agent = self.parties[who].agent.clone();
        Some([known, unknown].map(|made| {
            let signed = made.sign(&agent.key);
            self.told(|state, context| state.decide_move(context, &agent.actor(), &signed).map(drop))
        }))
    }

    fn ask_chain(&mut self, who: usize, step: &Step) -> Option<[Option<View>; 2]> {
        let me = self.parties[who].agent.id.clone();
        let model = &self.witness.model;
        let others =
            model.links.keys().filter(|id| !model.path(**id).any(|(_, link)| link.holder == me)).copied();
        let there = pick(step.which, &others.collect::<Vec<_>>())?;
        let ends = u64::from(step.how & 1) * self.witness.model.living_beneath(there).len() as u64;
        let chains = [there, ChainId::from_bytes(self.rng.r#gen())];
        let agent = self.parties[who].agent.clone();
        Some(chains.map(|chain| {
            let signed = self.revocation(who, Some(chain), None, ends).sign(&agent.key);
            self.told(|state, context| state.decide_revoke(context, &agent.actor(), &signed).map(drop))
        }))
    }

    fn ask_instance(&mut self, who: usize, step: &Step) -> Option<[Option<View>; 2]> {
        let others = (0..self.parties.len()).filter(|other| *other != who);
        let there = self.parties[pick(step.which, &others.collect::<Vec<_>>())?].agent.id.clone();
        let not_there = there.principal().instance(InstanceUuid::new(self.now, &mut self.rng));
        let agent = self.parties[who].agent.clone();
        let ends = u64::from(step.how & 1) * self.witness.model.ending_with(&there).len() as u64;
        Some([there, not_there].map(|instance| {
            let signed = self.revocation(who, None, Some(instance), ends).sign(&agent.key);
            self.told(|state, context| state.decide_revoke(context, &agent.actor(), &signed).map(drop))
        }))
    }

    fn ask_invocation(&mut self, who: usize, step: &Step) -> Option<[Option<View>; 2]> {
        let me = self.parties[who].agent.id.clone();
        let model = &self.witness.model;
        let others = model
            .uses
            .iter()
            .filter(|(_, it)| !model.path(it.chain).any(|(_, link)| link.holder == me) && it.callee != me);
        let there = pick(step.which, &others.map(|(id, _)| *id).collect::<Vec<_>>())?;
        let not_there = InvocationId::new(self.now, &mut self.rng);
        let actor = self.parties[who].agent.actor();
        Some(
            [there, not_there]
                .map(|id| self.told(|state, context| explain::may_see(state, context, &actor, id))),
        )
    }

    /// Processes that were revoked or locked.
    fn gone(&self) -> Vec<Agent> {
        let standing = |ghost: &Agent| self.witness.model.members.get(&ghost.id).map(|it| it.standing);
        let gone = self.ghosts.iter().filter(|ghost| standing(ghost).is_some_and(|it| it != Standing::Live));
        gone.cloned().collect()
    }

    /// One who was revoked or locked, and one who never was.
    fn ask_itself(&mut self, step: &Step) -> Option<[Option<View>; 2]> {
        let there = pick(step.which, &self.gone())?;
        let mut not_there = there.clone();
        not_there.id = there.id.principal().instance(InstanceUuid::new(self.now, &mut self.rng));
        Some([there, not_there].map(|agent| self.told(|state, _| state.admitted(&agent.actor()).map(drop))))
    }
}
