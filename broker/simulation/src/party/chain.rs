//! Chains that a party holds, verified from the bytes on.

use countersign_protocol::{
    contract::{ContractBody, hash_of},
    digest::ChainId,
    domain::{ChainRebound, ContractFinalized, Entry, Event},
    ledger::{Checkpoint, InclusionProof, leaf_hash},
    payload::Payload,
    signed::Signed,
    time::Timestamp,
    token::{Activation, ActiveToken, Token},
    trust::KeySet,
};

use crate::{broker::Concluded, stop::Flow, tokens::Tokens, world::World};

/// A chain that can be used.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Its name.
    pub chain: ChainId,
    /// Token and activation.
    pub active: ActiveToken,
}

impl Holding {
    /// Verifies what a broker shows of a chain that was asked for: the token back to the domain's key,
    /// the activation, the contract by both parties' keys, and that the ledger holds it where the
    /// activation says; or says what is wrong.
    pub fn verify(
        told: &Concluded,
        asked: ChainId,
        expected: Option<&ContractBody>,
        checkpoint: Option<&Checkpoint>,
        inclusion: impl FnOnce(&Activation, &Checkpoint) -> Option<InclusionProof>,
        keys: &KeySet,
        tokens: &mut Tokens,
    ) -> Result<Self, String> {
        let token = tokens.verify(&told.token, keys).map_err(|refusal| refusal.to_string())?;
        let activation = Activation::open(&told.activation, keys).map_err(|refusal| refusal.to_string())?;
        let active = ActiveToken::new(token, activation).map_err(|refusal| refusal.to_string())?;
        if active.token().chain_id() != asked {
            return Err("it is another chain than was asked for".into());
        }
        match (&told.contract, active.token().leaf().contract) {
            (None, None) => {}
            (Some((signed, at)), Some(_)) => {
                let body = check_contract(active.token(), signed)?;
                if expected.is_some_and(|expected| *expected != body) {
                    return Err("it is not the contract that was accepted".into());
                }
                let checkpoint = checkpoint.ok_or("it has seen no checkpoint")?;
                let proof = inclusion(active.activation(), checkpoint);
                let entry = recorded(&active, &body, (signed, *at), told.rebind.as_ref());
                included(&active, &entry, checkpoint, proof)?;
            }
            _ => return Err("the chain has a contract that is not told of, or none that is".into()),
        }
        Ok(Self { chain: asked, active })
    }
}

/// What the ledger has to hold: the contract or, where another process has the chain, who took it over.
fn recorded(
    active: &ActiveToken,
    body: &ContractBody,
    (signed, at): (&Signed, Timestamp),
    rebind: Option<&(Signed, Timestamp)>,
) -> Entry {
    let (chain_id, token) = (active.token().chain_id(), active.token().as_bytes().to_vec());
    match rebind {
        Some((request, time)) => {
            let rebound = ChainRebound { request: request.clone(), chain_id, token };
            Entry { time: *time, event: Event::ChainRebound(rebound) }
        }
        None => {
            let (negotiation_id, contract) = (body.negotiation_id, signed.clone());
            let finalized = ContractFinalized { negotiation_id, contract, chain_id, token };
            Entry { time: at, event: Event::ContractFinalized(finalized) }
        }
    }
}

/// The ledger holds it at the leaf that the activation names.
fn included(
    active: &ActiveToken,
    entry: &Entry,
    checkpoint: &Checkpoint,
    proof: Option<InclusionProof>,
) -> Result<(), String> {
    let proof = proof.ok_or("there is no proof of inclusion")?;
    if (proof.index, proof.size) != (active.activation().leaf, checkpoint.size) {
        return Err("the proof of inclusion is of another place".into());
    }
    proof.verify(leaf_hash(&entry.to_bytes()), checkpoint.root).map_err(|error| error.to_string())
}

/// The contract is the one that the token's last hop stands for, signed by whoever held the chain
/// before and by whoever holds it now.
fn check_contract(token: &Token, signed: &Signed) -> Result<ContractBody, String> {
    let mut links = token.links().rev();
    let (Some(leaf), Some(parent)) = (links.next(), links.next()) else {
        return Err("a grant has none".into());
    };
    if leaf.contract != Some(hash_of(&signed.payload)) {
        return Err("it is not the one that the token was made for".into());
    }
    let grantee = leaf.rebound.as_ref().map_or(&leaf.holder, |rebound| &rebound.named);
    let signers = [parent.holder.key, grantee.key];
    let body: ContractBody = signed.open(&signers).map_err(|error| error.to_string())?;
    let fits = (&body.grantor.instance, &body.grantee.instance)
        == (&parent.holder.instance, &grantee.instance)
        && (body.parent, &body.rights) == (parent.chain_id, &leaf.rights)
        && (&body.originator, body.grant_id) == (&token.grant().originator, token.grant().grant_id)
        && u64::from(body.depth) == token.depth() as u64;
    if fits { Ok(body) } else { Err("it is about another chain".into()) }
}

impl World {
    /// Somebody has itself shown a chain, and verifies it.
    pub fn fetch(&mut self, who: usize, chain: ChainId, expected: Option<&ContractBody>) -> Flow {
        if self.parties[who].holdings.iter().any(|held| held.chain == chain) {
            return Ok(());
        }
        let Some(told) = self.read_chain(chain)? else { return Ok(()) };
        self.look(who)?;
        let checkpoint = self.parties[who].view.latest.as_ref().map(|(latest, _)| latest.clone());
        let mut tokens = std::mem::take(&mut self.tokens);
        let verified = Holding::verify(
            &told,
            chain,
            expected,
            checkpoint.as_ref(),
            |activation, checkpoint| self.inclusion(activation.leaf, checkpoint.size),
            &self.keys.set,
            &mut tokens,
        );
        self.tokens = tokens;
        let holding = self.believed(who, verified)?;
        self.parties[who].holdings.push(holding);
        Ok(())
    }
}
