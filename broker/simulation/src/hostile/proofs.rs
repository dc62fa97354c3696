//! Chains that nobody granted, and proofs that are for something else.

use std::sync::LazyLock;

use countersign_forge::{domain, domain_key, principal};
use countersign_protocol::{
    contract::{Rebind, hash_of},
    id::{GrantId, InstanceUuid, InvocationId},
    key::SigningKey,
    ledger::LeafIndex,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::{
        Evidence, EvidenceKind, GrantTerms, Holder, HopTerms, Proof, Token, UnverifiedToken, Via, append_hop,
        mint_grant, sign_hop,
    },
    trust::KeySet,
};
use rand::{SeedableRng, rngs::StdRng};

use super::{Cheat, pick};
use crate::{
    network::{Invoke, Request},
    party::{Holding, critical, seat},
    plan::Step,
    scope,
    stop::Flow,
    world::World,
};

/// A chain of seventeen hops under a root that nobody pinned.
static DEEP: LazyLock<Vec<u8>> = LazyLock::new(deep_chain);

fn deep_chain() -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(17);
    let now = Timestamp::new(countersign_forge::START_MS).unwrap();
    let keys = KeySet::new(
        domain(),
        domain_key(1).public(),
        domain_key(2).public(),
        domain_key(3).public(),
        domain_key(4).public(),
    )
    .unwrap();
    let holder = |number: u32, key: &SigningKey, rng: &mut StdRng| Holder {
        instance: principal(&format!("deep{number}th")).instance(InstanceUuid::new(now, rng)),
        key: key.public(),
    };
    let mut key = domain_key(100);
    let mut rights = scope::widest();
    rights.delegations_left = 16;
    let terms = foreign_terms(holder(0, &key, &mut rng), rights.clone(), now, &mut rng);
    let mut token = mint_grant(&terms, 1, &domain_key(1));
    for number in 1..=17_u32 {
        let parent: Token = token.verify(&keys).unwrap();
        rights.delegations_left = rights.delegations_left.saturating_sub(1);
        let next = domain_key(100 + number as u8);
        let terms = HopTerms {
            holder: holder(number, &next, &mut rng),
            contract: hash_of(&[1]),
            rights: rights.clone(),
            rebind: Rebind::Never,
            extensions: countersign_protocol::extension::Extensions::none(),
        };
        token = append_hop(&parent, &terms, key.public(), sign_hop(&parent, &terms, &key));
        key = next;
    }
    token.as_bytes().to_vec()
}

fn foreign_terms(
    holder: Holder,
    rights: countersign_protocol::capability::Rights,
    now: Timestamp,
    rng: &mut StdRng,
) -> GrantTerms {
    GrantTerms {
        domain: domain(),
        grant_id: GrantId::new(now, rng),
        originator: principal("alice"),
        evidence: Evidence {
            kind: EvidenceKind::Signed,
            digest: countersign_protocol::digest::Digest::of(b"none"),
        },
        holder,
        rights,
        extensions: countersign_protocol::extension::Extensions::none(),
    }
}

impl World {
    fn own(&self, who: usize, which: u8) -> Option<Holding> {
        pick(which, &self.parties[who].holdings)
    }

    /// Presents a token of any bytes, with a proof for whatever chain it is said to be.
    fn present(&mut self, who: usize, token: &UnverifiedToken, mut proof: Proof, step: &Step) {
        let wanted = scope::request(step.how & 1);
        let claimed = token.verify(&self.keys.set).map(|token| token.chain_id());
        proof.chain_id = claimed.unwrap_or(proof.chain_id);
        let agent = &self.parties[who].agent;
        (proof.caller, proof.channel) = (agent.id.clone(), agent.spki);
        let signed = self.mean(who, &proof, &wanted);
        let invoke =
            Invoke { token: token.as_bytes().to_vec(), proof: signed, wanted, body: Vec::new(), asked: None };
        self.attack(who, Request::Invoke(Box::new(invoke)));
    }

    fn plain_proof(&mut self, who: usize, holding: &Holding, step: &Step) -> Proof {
        let id = InvocationId::new(self.now, &mut self.rng);
        let wanted = scope::request(step.how & 1);
        self.proof(who, holding, id, &wanted)
    }

    /// The hostile holder signs a hop by itself, for the dealer.
    pub(super) fn own_hop(&mut self, cheat: Cheat, step: &Step) -> bool {
        let (mallory, dealer) = (seat("mallory"), seat("dealer"));
        let Some(holding) = self.own(mallory, step.which) else { return false };
        let (parent, key) = (holding.active.token().clone(), self.parties[mallory].agent.key.clone());
        let now = self.now;
        let rights = match cheat {
            Cheat::WidensHop => scope::widened(&parent.leaf().rights, step.how, now),
            _ => scope::narrowed(&parent.leaf().rights, step.how, now),
        };
        let Some(rights) = rights else { return false };
        let accomplice = &self.parties[dealer].agent;
        let holder = Holder { instance: accomplice.id.clone(), key: accomplice.key.public() };
        let contract = parent.leaf().contract.unwrap_or(hash_of(&[1]));
        let extensions = countersign_protocol::extension::Extensions::none();
        let terms = HopTerms { holder, contract, rights, rebind: Rebind::Never, extensions };
        let signed_for = match cheat {
            Cheat::SplicesHop => self
                .holdings()
                .iter()
                .map(|(_, it)| it.active.token().clone())
                .find(|other| other.chain_id() != parent.chain_id()),
            _ => Some(parent.clone()),
        };
        let Some(signed_for) = signed_for else { return false };
        let token = append_hop(&parent, &terms, key.public(), sign_hop(&signed_for, &terms, &key));
        let mut proof = self.plain_proof(dealer, &holding, step);
        proof.chain_id = terms.chain_id(parent.chain_id(), &key.public());
        self.present(dealer, &token, proof, step);
        true
    }

    /// It signs a hop on a chain that it does not hold.
    pub(super) fn foreign_hop(&mut self, step: &Step) -> bool {
        let (mallory, dealer) = (seat("mallory"), seat("dealer"));
        let others: Vec<_> =
            self.holdings().into_iter().filter(|(who, _)| *who != mallory && *who != dealer).collect();
        let Some((_, holding)) = pick(step.which, &others) else { return false };
        let (parent, key) = (holding.active.token().clone(), self.parties[mallory].agent.key.clone());
        let Some(rights) = scope::narrowed(&parent.leaf().rights, step.how, self.now) else { return false };
        let accomplice = &self.parties[dealer].agent;
        let terms = HopTerms {
            holder: Holder { instance: accomplice.id.clone(), key: accomplice.key.public() },
            contract: hash_of(&[1]),
            rights,
            rebind: Rebind::Never,
            extensions: countersign_protocol::extension::Extensions::none(),
        };
        let token = append_hop(&parent, &terms, key.public(), sign_hop(&parent, &terms, &key));
        let proof = self.plain_proof(dealer, &holding, step);
        self.present(dealer, &token, proof, step);
        true
    }

    /// It uses the hop of an offer, before it is accepted or after it was withdrawn.
    pub(super) fn offered_hop(&mut self, step: &Step) -> Flow<bool> {
        let mallory = seat("mallory");
        let me = self.parties[mallory].agent.id.clone();
        let talks =
            self.witness.model.talks.iter().filter(|(_, it)| it.delegatee == me && it.state != "FINALIZED");
        let talks: Vec<_> = talks.map(|(id, _)| *id).collect();
        let Some(id) = pick(step.which, &talks) else { return Ok(false) };
        let Some(talk) = self.conversation(mallory, id, false)? else { return Ok(false) };
        let Some(offered) = talk.offer else { return Ok(false) };
        let held = self.holdings().into_iter().find(|(_, held)| held.chain == offered.body.parent);
        let Some((_, held)) = held else { return Ok(false) };
        let terms = offered.body.hop_terms();
        let token = append_hop(held.active.token(), &terms, offered.body.grantor.key, offered.hop);
        let proof = self.plain_proof(mallory, &held, step);
        self.present(mallory, &token, proof, step);
        Ok(true)
    }

    /// Bytes that lead back to nobody.
    pub(super) fn bad_token(&mut self, cheat: Cheat, step: &Step) -> bool {
        let mallory = seat("mallory");
        let Some((_, holding)) = pick(step.which, &self.holdings()) else { return false };
        let mut bytes = holding.active.token().as_bytes().to_vec();
        match cheat {
            Cheat::DeepChain => bytes.clone_from(&DEEP),
            Cheat::ForeignRoot => {
                let agent = self.parties[mallory].agent.clone();
                let holder = Holder { instance: agent.id, key: agent.key.public() };
                let terms = foreign_terms(holder, scope::granted(self.now, 0), self.now, &mut self.rng);
                bytes = mint_grant(&terms, u32::from(step.how & 1) + 1, &agent.key).as_bytes().to_vec();
            }
            _ if step.how & 1 == 0 => bytes.truncate(bytes.len() - 1 - usize::from(step.who)),
            _ => {
                let at = usize::from(step.who) * bytes.len() / 256;
                bytes[at] ^= 1;
            }
        }
        let proof = self.plain_proof(mallory, &holding, step);
        self.present(mallory, &UnverifiedToken::from_bytes(bytes), proof, step);
        true
    }

    /// A proof for something else than is asked.
    pub(super) fn bad_proof(&mut self, cheat: Cheat, step: &Step) -> bool {
        let mallory = seat("mallory");
        let Some(holding) = self.own(mallory, step.which) else { return false };
        let rights = &holding.active.token().leaf().rights;
        let beyond = cheat == Cheat::BeyondRights;
        let wish = scope::REQUESTS.iter().filter(|it| scope::allows(rights, it) != beyond);
        let Some(wanted) = pick(step.how, &wish.collect::<Vec<_>>()).cloned() else { return false };
        let id = InvocationId::new(self.now, &mut self.rng);
        let mut proof = self.proof(mallory, &holding, id, &wanted);
        let mut asked = wanted.clone();
        self.distort(cheat, &mut proof, &mut asked, step);
        let mut signed = self.mean(mallory, &proof, &wanted);
        if cheat == Cheat::ForgedProof {
            signed = proof.sign(&self.parties[seat("dealer")].agent.key);
        }
        let token = holding.active.token().as_bytes().to_vec();
        let invoke = Invoke { token, proof: signed, wanted: asked, body: Vec::new(), asked: None };
        self.attack(mallory, Request::Invoke(Box::new(invoke)));
        true
    }

    fn distort(
        &mut self,
        cheat: Cheat,
        proof: &mut Proof,
        asked: &mut countersign_protocol::capability::Request,
        step: &Step,
    ) {
        let other = scope::request(step.who);
        let millis = Lifetime::from_millis;
        match cheat {
            Cheat::OtherRequest => match step.how & 3 {
                0 => {
                    asked.callee = if asked.callee == principal("files") {
                        principal("archive")
                    } else {
                        principal("files")
                    }
                }
                1 => {
                    asked.action = if asked.action.as_str() == "read" {
                        "write".parse().unwrap()
                    } else {
                        "read".parse().unwrap()
                    }
                }
                2 => asked.resource = other.resource,
                _ => asked.arguments = other.arguments,
            },
            Cheat::OtherChannel => proof.channel = self.parties[seat("dealer")].agent.spki,
            Cheat::OtherWay => proof.via = Via::Direct,
            Cheat::OtherActivation => proof.activation_leaf = LeafIndex::new(u64::from(step.how)).unwrap(),
            Cheat::ForeignProof => proof.domain = "other.example".parse().unwrap(),
            Cheat::LongProof => proof.expires = proof.issued.plus(millis(60_001)),
            Cheat::LateProof => {
                proof.issued = Timestamp::new(proof.issued.as_millis() - 90_000).unwrap();
                proof.expires = proof.issued.plus(millis(50_000));
            }
            Cheat::EarlyProof => {
                proof.issued = proof.issued.plus(millis(50_000));
                proof.expires = proof.issued.plus(millis(5_000));
            }
            Cheat::ExtendedProof => proof.extensions = critical(),
            Cheat::OldInvocation => {
                let then = Timestamp::new(self.now.as_millis() - 700_000).unwrap();
                proof.invocation_id = InvocationId::new(then, &mut self.rng);
            }
            _ => {}
        }
    }

    /// A proof that was used, or its invocation's id for something else.
    pub(super) fn used_proof(&mut self, cheat: Cheat, step: &Step) -> bool {
        let mallory = seat("mallory");
        let me = self.parties[mallory].agent.id.clone();
        let uses = self.witness.model.uses.iter().filter(|(_, it)| it.caller == me);
        let uses: Vec<_> = uses.map(|(id, it)| (*id, it.chain)).collect();
        let Some((id, chain)) = pick(step.which, &uses) else { return false };
        let Some(holding) = self.parties[mallory].holdings.iter().find(|held| held.chain == chain).cloned()
        else {
            return false;
        };
        let spent = self.spent_proof(id);
        let (Some(signed), Cheat::ReplaysProof) = (spent, cheat) else {
            let rights = &holding.active.token().leaf().rights;
            let allowed: Vec<_> = scope::REQUESTS.iter().filter(|it| scope::allows(rights, it)).collect();
            let Some(wanted) = pick(step.how, &allowed).cloned() else { return false };
            let proof = self.proof(mallory, &holding, id, &wanted);
            let signed = self.mean(mallory, &proof, &wanted);
            return self.use_with(mallory, &holding, signed, wanted);
        };
        let Some(meant) = self.witness.intended.get(&signed.digest()).cloned() else { return false };
        self.use_with(mallory, &holding, signed, meant.request)
    }

    fn spent_proof(&self, id: InvocationId) -> Option<Signed> {
        self.witness.entries.iter().find_map(|entry| match &entry.event {
            countersign_protocol::domain::Event::Intent(intent) if intent.invocation_id == id => {
                Some(intent.proof.clone())
            }
            _ => None,
        })
    }

    fn use_with(
        &mut self,
        who: usize,
        holding: &Holding,
        proof: Signed,
        wanted: countersign_protocol::capability::Request,
    ) -> bool {
        let token = holding.active.token().as_bytes().to_vec();
        let invoke = Invoke { token, proof, wanted, body: Vec::new(), asked: None };
        self.attack(who, Request::Invoke(Box::new(invoke)));
        true
    }

    /// Token and proof of someone else, whether it was used or is under way, over its own channel.
    pub(super) fn stolen_proof(&mut self, step: &Step) -> bool {
        let mallory = seat("mallory");
        let others = self.parties.iter().enumerate().filter(|(who, _)| *who != mallory);
        let sent =
            others.flat_map(|(_, party)| party.calls.values()).filter_map(|call| match &call.request {
                Request::Invoke(invoke) if call.honest => Some(invoke.clone()),
                _ => None,
            });
        let sent: Vec<_> = sent.collect();
        let Some(invoke) = pick(step.which, &sent) else { return false };
        self.attack(mallory, Request::Invoke(invoke));
        true
    }

    /// Someone else's chain, with a proof of its own in its own name or in the holder's.
    pub(super) fn stolen_chain(&mut self, step: &Step) -> bool {
        let mallory = seat("mallory");
        let others: Vec<_> = self.holdings().into_iter().filter(|(who, _)| *who != mallory).collect();
        let Some((_, holding)) = pick(step.which, &others) else { return false };
        let wanted = scope::request(step.how & 1);
        let id = InvocationId::new(self.now, &mut self.rng);
        let mut proof = self.proof(mallory, &holding, id, &wanted);
        if step.how & 2 == 2 {
            proof.caller = holding.active.token().leaf().holder.instance.clone();
        }
        let signed = self.mean(mallory, &proof, &wanted);
        self.use_with(mallory, &holding, signed, wanted)
    }
}
