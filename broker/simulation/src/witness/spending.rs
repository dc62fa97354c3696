//! Nothing is spent twice, and nothing that nobody spent.

use countersign_protocol::{
    contract::ContractBody,
    domain::{Event, Intent, InvocationEnded, InvocationOutcome},
    receipt::Receipt,
    time::Timestamp,
    token::{Proof, Via},
};

use super::Witness;
use crate::{
    invariant::Invariant::{Budget, Record},
    model::Use,
    stop::{Flow, hold},
    stream,
};

impl Witness {
    /// A contract's ceiling is still there.
    pub(super) fn check_promise(&self, body: &ContractBody) -> Flow {
        let (asked, left) =
            (body.rights.budget.ceiling.get(), self.model.available_in_place_of(body.replaces, body.parent));
        hold(Budget, asked <= left, || format!("{asked} are promised, and {left} are left"))
    }

    /// A reserve is still there, in the budget and in every window.
    pub(super) fn check_reserve(&self, event: &Intent, now: Timestamp) -> Flow {
        let Ok(proof) = event.proof.peek_unverified::<Proof>() else { return Ok(()) };
        let (reserved, left) = (event.reserved.get(), self.model.available(proof.chain_id));
        hold(Budget, reserved <= left, || format!("{reserved} are reserved, and {left} are left"))?;
        let room = self.model.windows_allow(proof.chain_id, reserved, now);
        hold(Budget, room, || "more than a window has room for".into())
    }

    /// What is settled is what the callee did.
    pub(super) fn check_settlement(&self, event: &InvocationEnded) -> Flow {
        let id = event.invocation_id;
        let Some(known) = self.model.uses.get(&id) else {
            return hold(Budget, false, || format!("{id} ends, and never began"));
        };
        hold(Budget, known.end.is_none(), || format!("{id} is settled twice"))?;
        let (settled, deed) = (event.settled.get(), self.deeds.get(&id));
        hold(Budget, settled <= known.reserved, || format!("{settled} of {} reserved", known.reserved))?;
        match event.outcome {
            InvocationOutcome::Cancelled => {
                hold(Record, deed.is_none(), || format!("{id} was done, and is recorded as cancelled"))
            }
            InvocationOutcome::Unknown => {
                hold(Budget, settled == known.reserved, || "an unknown outcome is cheaper".into())
            }
            InvocationOutcome::InSession => hold(Record, false, || format!("{id} ends as if in a session")),
            InvocationOutcome::Receipted => {
                let key = self.model.members.get(&known.callee).map(|member| member.key);
                let receipt =
                    key.zip(event.receipt.as_ref()).and_then(|(key, it)| it.open::<Receipt>(&[key]).ok());
                let own = receipt.is_some_and(|it| {
                    it.invocation_id == id
                        && it.chain_id == known.chain
                        && it.callee == known.callee
                        && it.cost == event.settled
                        && it.extensions.check().is_ok()
                });
                hold(Record, own, || format!("{} did not sign this receipt", known.callee))?;
                hold(Record, self.is_signed_for(event, known), || {
                    format!("what went each way in {id} is not what both sides signed for")
                })?;
                let same = deed.is_some_and(|deed| deed.swindle || deed.cost == settled);
                hold(Budget, same, || format!("{settled} are settled, and {deed:?} was done"))
            }
        }
    }

    /// Of a stream, both sides signed for what the receipt says; of anything else, nobody signed for chunks.
    fn is_signed_for(&self, event: &InvocationEnded, known: &Use) -> bool {
        if known.asked.via != Via::Stream {
            return event.asked.is_none() && event.told.is_none();
        }
        let key = |instance| self.model.members.get(instance).map(|member| member.key);
        let heads = || {
            let keys = [key(&known.caller)?, key(&known.callee)?];
            stream::heads(event.asked.as_ref()?, event.told.as_ref()?, keys)
        };
        let receipt = event.receipt.as_ref().and_then(|it| it.peek_unverified::<Receipt>().ok());
        heads().zip(receipt).is_some_and(|(heads, receipt)| {
            receipt.result == heads.account(&receipt.proof).digest()
                && heads.account(&receipt.proof) == stream::account(&receipt.proof)
        })
    }

    /// No account is overdrawn.
    pub(super) fn check_accounts(&self, event: &Event) -> Flow {
        if !matches!(
            event,
            Event::ContractFinalized(_)
                | Event::ChainRebound(_)
                | Event::Intent(_)
                | Event::InvocationEnded(_)
                | Event::SessionIntent(_)
                | Event::SessionResulted(_)
        ) {
            return Ok(());
        }
        for (id, link) in &self.model.links {
            let (account, ceiling) = (self.model.account(*id), link.ceiling);
            hold(Budget, account.committed() <= ceiling, || {
                format!("the link of {} has {account:?} of {ceiling}", link.holder)
            })?;
        }
        Ok(())
    }
}
