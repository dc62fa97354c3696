//! What principals make of the broker's answers.

use countersign_protocol::{contract::ContractBody, digest::Digest, receipt::Receipt, refusal::Reason};

use super::{Call, Conversation, Party, Purpose, Usage};
use crate::{
    network::{Address, Done, Reply, Told},
    stop::Flow,
    world::World,
};

impl World {
    /// An answer arrives. One that nobody waits for any longer concerns nobody.
    pub fn hear(&mut self, to: &Address, number: u64, reply: Reply) -> Flow {
        let who = to.party;
        let Some(call) = self.parties[who].calls.get(&number).cloned() else { return Ok(()) };
        let Call { purpose, .. } = call;
        self.parties[who].calls.remove(&number);
        match (reply, purpose) {
            (Reply::Refused(refusal), purpose) => {
                self.turned_away(who, refusal.reason(), &purpose, number);
                Ok(())
            }
            (Reply::Certified(record), Purpose::Join(agent)) => {
                let name = self.parties[who].name;
                let own = (&record.instance, record.key, record.spki)
                    == (&agent.id, agent.key.public(), agent.spki);
                self.believed(who, if own { Ok(()) } else { Err("it is another's record".into()) })?;
                self.parties[who] = Party::new(name, *agent, record.generation, record.expires);
                Ok(())
            }
            (Reply::Certified(record), _) => {
                let party = &mut self.parties[who];
                if record.instance == party.agent.id && record.generation > party.generation {
                    (party.generation, party.certified_until) = (record.generation, record.expires);
                }
                Ok(())
            }
            (Reply::Granted(chain), Purpose::Grant(to)) => self.fetch(to, chain, None),
            (Reply::Moved(told), Purpose::Move(id)) if told.id == id => self.heard_of(who, &told),
            (Reply::Revoked(_), Purpose::Rebind(_)) => self.fetch_taken(who),
            (Reply::Done(done), Purpose::Use(usage)) => self.take_result(who, &usage, &done),
            _ => Ok(()),
        }
    }

    fn turned_away(&mut self, who: usize, reason: Reason, purpose: &Purpose, _number: u64) {
        let gone = matches!(
            reason,
            Reason::InstanceUnknown
                | Reason::InstanceRevoked
                | Reason::InstanceForked
                | Reason::CertificateExpired
        );
        let own = !matches!(purpose, Purpose::Grant(_) | Purpose::Mischief);
        self.parties[who].out |= gone && own;
    }

    /// A negotiation stands anew; if it led to a contract, its parties have themselves shown that.
    fn heard_of(&mut self, who: usize, told: &Told) -> Flow {
        let before = self.parties[who].conversations.get(&told.id);
        if before.is_some_and(|it| it.moves.len() > told.moves.len() || it.state.is_terminal()) {
            // An older answer, overtaken by a newer one.
            return Ok(());
        }
        let followed = Conversation::follow(before, told, |instance| self.read_party(instance));
        let talk = self.believed(who, followed)?;
        let (chain, body) = (talk.chain, talk.offer.as_ref().map(|offer| offer.body.clone()));
        self.parties[who].conversations.insert(told.id, talk);
        match (chain, body) {
            (Some(chain), Some(body)) => self.conclude_talk(who, chain, &body),
            _ => Ok(()),
        }
    }

    fn conclude_talk(
        &mut self,
        who: usize,
        chain: countersign_protocol::digest::ChainId,
        body: &ContractBody,
    ) -> Flow {
        if body.grantee.instance == self.parties[who].agent.id {
            self.fetch(who, chain, Some(body))?;
        }
        Ok(())
    }

    /// The result is the callee's own word about this use.
    fn take_result(&mut self, who: usize, usage: &Usage, done: &Done) -> Flow {
        let verified = self.check_result(usage, done);
        self.believed(who, verified)?;
        self.parties[who].answered.push(usage.id);
        self.tally.count("act", "a result verified");
        Ok(())
    }

    /// Whether a receipt and a result are the callee's own word about that use; or what is wrong.
    pub fn check_result(&self, usage: &Usage, done: &Done) -> Result<(), String> {
        let claimed: Receipt = done.receipt.peek_unverified().map_err(|error| error.to_string())?;
        let callee = self.read_party(&claimed.callee).ok_or("nobody of that name")?;
        let receipt: Receipt = done.receipt.open(&[callee.key]).map_err(|error| error.to_string())?;
        let link = self.witness.model.links.get(&usage.chain);
        let per_call = link.map(|link| link.rights.budget.per_call).unwrap_or_default();
        let fits = [
            (receipt.invocation_id == usage.id, "another invocation"),
            (receipt.chain_id == usage.chain, "another chain"),
            (usage.proofs.contains(&receipt.proof), "another proof"),
            (*receipt.callee.principal() == usage.wanted.callee, "another callee"),
            (done.body.as_ref().is_none_or(|body| receipt.result == Digest::of(body)), "another result"),
            (receipt.cost <= per_call, "more than a call may cost"),
            (receipt.extensions.check().is_ok(), "something critical that is not known"),
            (done.intent < done.result, "an end before its beginning"),
        ];
        fits.iter()
            .find(|(fits, _)| !fits)
            .map_or(Ok(()), |(_, what)| Err(format!("the receipt is of {what}")))
    }
}
