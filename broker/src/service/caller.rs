//! Who calls, and what it is to the thing that it asks for.

use countersign_protocol::{
    digest::ChainId,
    domain::{Actor, Chain, Context, Negotiation, State},
    explain,
    id::{InvocationId, NegotiationId},
    name::InstanceId,
    refusal::{Reason, Refusal, View, Viewer},
    require, require_some,
};
use tonic::{Request, Response, Status};

use crate::{domain::Domain, gate, status::status};

/// The caller of one method.
///
/// It is a stranger to what it asks for until the state says otherwise, and is told of a refusal as
/// such: what is not there and what is not for it look alike to the byte (ERR-003).
#[derive(Clone, Debug)]
pub(super) struct Caller {
    actor: Actor,
    admin: bool,
    party: bool,
}

impl Caller {
    /// Whoever the gate let in, and may still act: between the head of a request, at which the gate
    /// looks, and its message, as much time passes as the caller likes.
    pub(super) fn of<T>(request: &Request<T>, domain: &Domain) -> Result<Self, Status> {
        let actor = gate::caller(request)?;
        let admitted = domain.peek(|state, _| state.admitted(&actor).map(drop));
        admitted.map_err(|refusal| status(&refusal, Viewer::Stranger))?;
        let admin = domain.policy().admins.contains(actor.instance.principal());
        Ok(Self { actor, admin, party: false })
    }

    /// As the one who made a statement: whatever is wrong with it, it may know.
    pub(super) fn author(mut self) -> Self {
        self.party = true;
        self
    }

    /// Who it is, as decisions take it.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Who it is.
    pub(super) fn instance(&self) -> &InstanceId {
        &self.actor.instance
    }

    /// Whether it is an admin of the trust domain.
    pub(super) fn is_admin(&self) -> bool {
        self.admin
    }

    /// Whether it answers for that chain, or holds a link of it.
    pub(super) fn is_party_to_chain(&self, state: &State, id: ChainId) -> bool {
        state.path(id).any(|(_, link)| {
            link.holder == *self.instance() || link.originator == *self.instance().principal()
        })
    }

    /// Whether it is one of the two sides. Until one copy of the delegator has answered, every copy
    /// is asked.
    pub(super) fn is_party_to_negotiation(&self, negotiation: &Negotiation) -> bool {
        let asked = match &negotiation.delegator_instance {
            Some(instance) => instance == self.instance(),
            None => negotiation.delegator == *self.instance().principal(),
        };
        asked || negotiation.delegatee == *self.instance()
    }

    /// A chain, for its parties and admins (API-060).
    pub(super) fn chain<'s>(&mut self, state: &'s State, id: ChainId) -> Result<&'s Chain, Refusal> {
        let chain = require_some!("API-060", state.chain(&id), Reason::NotFound);
        self.party = self.is_party_to_chain(state, id);
        require!("API-060", self.party || self.admin, Reason::NotFound);
        Ok(chain)
    }

    /// What it is to a chain that it says something about, if there is such a chain.
    pub(super) fn stands_by(&mut self, state: &State, id: ChainId) {
        self.party = self.is_party_to_chain(state, id);
    }

    /// What it is to a chain that it wants to take over: of its holder's own principal, or nothing.
    pub(super) fn stands_to_take_over(&mut self, state: &State, id: ChainId) {
        let principal = self.actor.instance.principal();
        self.party = state.chain(&id).is_some_and(|chain| chain.holder.principal() == principal);
    }

    /// As much of a refusal as this caller may know: whether there is such a chain, and whether the
    /// caller may do that to it, are one answer to a stranger. Whatever else is wrong, it said itself.
    pub(super) fn told_about_chain(self, refusal: &Refusal) -> Status {
        match refusal.reason() {
            Reason::NotFound
            | Reason::RevocationNotAllowed
            | Reason::ChangeNotAllowed
            | Reason::RebindNotAllowed => self.told(refusal),
            _ => self.author().told(refusal),
        }
    }

    /// A negotiation, for its parties (API-061).
    pub(super) fn negotiation<'s>(
        &mut self,
        state: &'s State,
        id: NegotiationId,
    ) -> Result<&'s Negotiation, Refusal> {
        let negotiation = require_some!("API-061", state.negotiation(&id), Reason::NegotiationUnknown);
        self.party = self.is_party_to_negotiation(negotiation);
        require!("API-061", self.party, Reason::NegotiationUnknown);
        Ok(negotiation)
    }

    /// An invocation, for the parties of its chain, its callee and admins.
    pub(super) fn invocation(
        &mut self,
        state: &State,
        context: &Context<'_>,
        id: InvocationId,
    ) -> Result<(), Refusal> {
        explain::may_see(state, context, &self.actor, id)?;
        self.party = true;
        Ok(())
    }

    /// What it is to a negotiation that it moves in, or opens: whatever is wrong with an opening is
    /// wrong with the caller's own words.
    pub(super) fn stands_to_move(&mut self, negotiation: Option<&Negotiation>, opens: bool) {
        self.party = opens || negotiation.is_some_and(|it| self.is_party_to_negotiation(it));
    }

    /// Refuses everyone but admins (API-062).
    pub(super) fn check_admin(&self) -> Result<(), Refusal> {
        require!("API-062", self.admin, Reason::AdminRequired);
        Ok(())
    }

    /// The answer, or as much of the refusal as this caller may know.
    pub(super) fn reply<T>(&self, answer: Result<T, Refusal>) -> Result<Response<T>, Status> {
        answer.map(Response::new).map_err(|refusal| self.told(&refusal))
    }

    /// As much of a refusal as this caller may know.
    pub(super) fn told(&self, refusal: &Refusal) -> Status {
        status(refusal, self.viewer())
    }

    /// What the caller may know of a refusal that it is told in an answer.
    pub(super) fn view(&self, refusal: &Refusal) -> View {
        refusal.view(self.viewer())
    }

    fn viewer(&self) -> Viewer {
        match self {
            Self { admin: true, .. } => Viewer::Operator,
            Self { party: true, .. } => Viewer::Party,
            _ => Viewer::Stranger,
        }
    }
}
