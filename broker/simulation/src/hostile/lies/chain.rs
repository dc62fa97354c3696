//! Lies about chains and contracts.

use countersign_forge::{domain, domain_key};
use countersign_protocol::{
    contract::ContractBody,
    digest::Digest,
    ledger::{Checkpoint, InclusionProof, LeafIndex, Origin},
    signed::{Signed, Statement},
    token::{ActivatedBy, Activation, append_hop},
    trust::KeyPurpose,
};

use super::{Checked, Lie};
use crate::{broker::Concluded, hostile::pick, party::Holding, plan::Step, stop::Flow, world::World};

impl World {
    /// An offer that stands is said to be a contract.
    pub(super) fn lie_of_offer(&mut self, step: &Step) -> Flow<Checked> {
        let offered = self.witness.model.talks.iter().filter(|(_, talk)| talk.state == "OFFERED");
        let ids: Vec<_> = offered.map(|(id, talk)| (*id, talk.delegatee.clone())).collect();
        let Some((id, delegatee)) = pick(step.which, &ids) else { return Ok(None) };
        let Some(who) = self.parties.iter().position(|party| party.agent.id == delegatee) else {
            return Ok(None);
        };
        let Some(talk) = self.conversation(who, id, false)? else { return Ok(None) };
        let (Some(offered), Some(state)) = (talk.offer, self.readable()) else { return Ok(None) };
        let Some(parent) = state.chain(&offered.body.parent).map(|chain| chain.token.clone()) else {
            return Ok(None);
        };
        let Ok(parent) = self.tokens.verify(&parent, &self.keys.set) else { return Ok(None) };
        let terms = offered.body.hop_terms();
        let token = append_hop(&parent, &terms, offered.body.grantor.key, offered.hop);
        let chain = terms.chain_id(parent.chain_id(), &offered.body.grantor.key);
        let leaf = self.ledger.head().size.last_leaf();
        let activation = Activation {
            chain_id: chain,
            activated_by: ActivatedBy::Contract,
            subject: Digest::from_bytes(offered.hash.to_array()),
            leaf,
            domain: domain(),
            origin: Origin::of(&domain()),
        };
        // The grantor signed; of the grantee it has nothing but what it makes itself.
        let mut contract = offered.body.sign(&domain_key(1));
        contract.signatures.clear();
        contract.add_signature(self.keys.signer(KeyPurpose::Activation, leaf).1);
        contract.add_signature(self.keys.signer(KeyPurpose::Activation, leaf).1);
        let activation = activation.sign(self.keys.signer(KeyPurpose::Activation, leaf).1);
        let token = token.as_bytes().to_vec();
        let told = Concluded { chain, token, activation, contract: Some((contract, self.now)), rebind: None };
        self.look(who)?;
        Ok(self.check_chain(who, &told, Some(&offered.body)))
    }

    /// What a party makes of a chain that it is shown.
    fn check_chain(&mut self, who: usize, told: &Concluded, expected: Option<&ContractBody>) -> Checked {
        let checkpoint = self.parties[who].view.latest.as_ref().map(|(latest, _)| latest.clone());
        let tree = self.process.as_ref()?.state.tree().clone();
        let inclusion = |activation: &Activation, checkpoint: &Checkpoint| {
            let (index, size) = (activation.leaf, checkpoint.size);
            Some(InclusionProof { index, size, path: tree.inclusion(index, size)? })
        };
        let (keys, tokens) = (&self.keys.set, &mut self.tokens);
        Some(
            Holding::verify(told, told.chain, expected, checkpoint.as_ref(), inclusion, keys, tokens)
                .map(drop),
        )
    }

    pub(super) fn lie_of_chain(&mut self, lie: Lie, step: &Step) -> Flow<Checked> {
        let contracted: Vec<_> = self
            .witness
            .model
            .links
            .iter()
            .filter(|(_, it)| it.contract.is_some())
            .map(|(id, _)| *id)
            .collect();
        let Some(chain) = pick(step.which, &contracted) else { return Ok(None) };
        let Some(mut told) = self.read_chain(chain)? else { return Ok(None) };
        let who = usize::from(step.who) % self.parties.len();
        self.look(who)?;
        let Some((signed, at)) = told.contract.clone() else { return Ok(None) };
        let Ok(expected) = signed.peek_unverified::<ContractBody>() else { return Ok(None) };
        let Ok(mut activation) = told.activation.peek_unverified::<Activation>() else { return Ok(None) };
        let others: Vec<_> = contracted.iter().filter(|other| **other != chain).copied().collect();
        match lie {
            Lie::MisplacedActivation => {
                activation.leaf =
                    LeafIndex::new(activation.leaf.get().saturating_sub(1 + u64::from(step.how % 9)))
                        .unwrap();
                told.activation =
                    activation.sign(self.keys.signer(KeyPurpose::Activation, activation.leaf).1);
            }
            Lie::ActivationByOther => {
                let key = self.keys.signer(KeyPurpose::Checkpoint, activation.leaf).1;
                told.activation = activation.sign(key);
            }
            Lie::OtherContract | Lie::OtherOutcome => {
                let Some(other) = pick(step.how, &others) else { return Ok(None) };
                let Some(other) = self.read_chain(other)? else { return Ok(None) };
                if lie == Lie::OtherOutcome {
                    return Ok(self.check_chain(who, &other, Some(&expected)));
                }
                told.contract = other.contract;
            }
            _ => {
                let mut invented = expected.clone();
                invented.purpose = Digest::of(b"another purpose");
                let mut signed: Signed = invented.sign(&domain_key(1));
                signed
                    .signatures
                    .clone_from(&told.contract.as_ref().map_or(Vec::new(), |(it, _)| it.signatures.clone()));
                told.contract = Some((signed, at));
            }
        }
        Ok(self.check_chain(who, &told, Some(&expected)))
    }
}
