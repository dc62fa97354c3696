//! What honest parties would say in a state of the domain: unsigned, for a test to change first.

use std::collections::BTreeMap;

use countersign_protocol::{
    capability::{Amount, Request, Rights},
    contract::{
        Acceptance, ChangeKind, ChangeRequest, ContractBody, ContractVersion, Disclosure, FailurePolicy,
        Offline, Rebind, RebindConsent, RebindRequest, SeenCheckpoint, Side,
    },
    digest::{ChainId, Digest, SpkiHash},
    domain::{Attested, State},
    extension::Extensions,
    grant::GrantRequest,
    id::{ContractId, GrantId, InstanceUuid, InvocationId, NegotiationId, RequestId},
    identity::{JoinStatement, RenewStatement},
    key::SigningKey,
    name::{InstanceId, PrincipalId},
    negotiation::{Accept, Move, MoveKind, Offer, Request as Wish, empty_transcript},
    payload::Payload,
    receipt::{ActionOutcome, Receipt},
    revocation::RevokeRequest,
    signed::{Algorithm, Signed, Statement, sign_detached},
    time::{Lifetime, Timestamp},
    token::{Holder, Nonce, Proof, Token, UnverifiedToken, Via, sign_hop},
};
use rand::rngs::StdRng;

use crate::cast::{Agent, configuration, domain, principal};

/// A state, the time in it, and who is there.
pub struct Stage<'a> {
    /// The fold of the ledger.
    pub state: &'a State,
    /// The time.
    pub now: Timestamp,
    /// Where ids and keys come from.
    pub rng: &'a mut StdRng,
    /// Who joined, by name.
    pub agents: &'a BTreeMap<&'static str, Agent>,
}

/// A negotiation and who speaks to whom in it.
#[derive(Clone, Copy)]
pub struct Speaks<'a> {
    /// The negotiation.
    pub id: NegotiationId,
    /// Whose move it is.
    pub sender: &'a str,
    /// For whom.
    pub audience: &'a str,
}

impl Stage<'_> {
    fn agent(&self, name: &str) -> &Agent {
        &self.agents[name]
    }

    fn after(&self, millis: u64) -> Timestamp {
        self.now.plus(Lifetime::from_millis(millis))
    }

    /// A new running copy of that principal, with keys of its own, and the statement with which it
    /// joins by the token whose secret has that digest.
    pub fn newcomer(&mut self, of: &PrincipalId, spki: SpkiHash, secret: Digest) -> (Agent, JoinStatement) {
        let agent = Agent {
            id: of.instance(InstanceUuid::new(self.now, self.rng)),
            key: SigningKey::generate(self.rng),
            spki,
        };
        let join = JoinStatement {
            domain: domain(),
            instance: agent.id.clone(),
            key: agent.key.public(),
            spki,
            configuration: configuration(),
            evidence: secret,
            issued: self.now,
            extensions: Extensions::none(),
        };
        (agent, join)
    }

    /// An instance stays: the same key, channel and configuration.
    pub fn renewal(&self, name: &str) -> RenewStatement {
        let agent = self.agent(name);
        RenewStatement {
            domain: domain(),
            generation: self.state.instance(&agent.id).unwrap().statement.generation,
            instance: agent.id.clone(),
            spki: agent.spki,
            configuration: configuration(),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// alice asks for a grant to planner.
    pub fn grant_request(&mut self, rights: Rights) -> GrantRequest {
        GrantRequest {
            domain: domain(),
            grant_id: GrantId::new(self.now, self.rng),
            originator: self.agent("alice").id.clone(),
            holder: self.agent("planner").id.clone(),
            rights,
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// The ledger as it stands, as a party states it.
    pub fn seen(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.state.tree().size(), root: self.state.tree().root() }
    }

    /// The token of a chain, verified.
    pub fn token(&self, chain: ChainId) -> Token {
        let bytes = self.state.chain(&chain).unwrap().token.clone();
        UnverifiedToken::from_bytes(bytes).verify(self.state.keys().unwrap()).unwrap()
    }

    /// The next move of that sender, without content.
    pub fn bare_move(&mut self, speaks: Speaks<'_>, kind: MoveKind) -> Move {
        let (known, sender) = (self.state.negotiation(&speaks.id), self.agent(speaks.sender).id.clone());
        let made = known.map_or(0, |talk| talk.moves.iter().filter(|made| made.sender == sender).count());
        Move {
            domain: domain(),
            negotiation_id: speaks.id,
            sender,
            seq: made as u32 + 1,
            round: known.map_or(1, |talk| talk.round),
            transcript: known.map_or(empty_transcript(&domain(), speaks.id), |talk| talk.transcript),
            audience: principal(speaks.audience),
            deadline: self.after(60_000),
            request_id: RequestId::new(self.now, self.rng),
            kind,
            request: None,
            counter: None,
            offer: None,
            accept: None,
            extensions: Extensions::none(),
        }
    }

    /// What a grantee asks for.
    pub fn wish(&self, rights: Rights) -> Wish {
        Wish {
            rights,
            purpose: Digest::of(b"why"),
            deadline: self.after(600_000),
            max_rounds: 5,
            award: None,
        }
    }

    /// The contract that an honest grantor would offer.
    pub fn contract_body(
        &mut self,
        id: NegotiationId,
        [grantor, grantee]: [&str; 2],
        parent: ChainId,
        rights: Rights,
    ) -> ContractBody {
        let (chain, talk) = (self.state.chain(&parent).unwrap(), self.state.negotiation(&id).unwrap());
        ContractBody {
            version: ContractVersion::V1,
            contract_id: ContractId::new(self.now, self.rng),
            negotiation_id: id,
            transcript: talk.transcript,
            domain: domain(),
            grantor: self.agent(grantor).party(),
            grantee: self.agent(grantee).party(),
            originator: chain.originator.clone(),
            grant_id: chain.grant_id,
            parent,
            depth: chain.depth + 1,
            rights,
            rebind: Rebind::Never,
            disclosure: Disclosure::Full,
            max_staleness: Lifetime::from_millis(1000),
            offline: Offline::Forbidden,
            purpose: talk.purpose,
            acceptance: Acceptance::SignedReceipt,
            failure: FailurePolicy::SettleReserved,
            seen: self.seen(),
            algorithm: Algorithm::Ed25519,
            replaces: None,
            extensions: Extensions::none(),
        }
    }

    /// Any contract, offered with that agent's real key.
    pub fn offer(&self, grantor: &str, body: &ContractBody) -> Offer {
        let key = &self.agent(grantor).key;
        let contract = body.to_bytes();
        Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &contract, key),
            hop_signature: sign_hop(&self.token(body.parent), &body.hop_terms(), key),
            contract,
            expires: self.after(60_000),
        }
    }

    /// Any contract, accepted with that agent's real key.
    pub fn accept(&self, grantee: &str, body: &ContractBody) -> Accept {
        Accept {
            contract: body.hash(),
            contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), &self.agent(grantee).key),
            seen: self.seen(),
        }
    }

    /// The holder's proof for that request without a body.
    pub fn proof(&mut self, caller: &str, chain: ChainId, id: InvocationId, request: &Request) -> Proof {
        let request = request.clone();
        Proof {
            domain: domain(),
            invocation_id: id,
            chain_id: chain,
            activation_leaf: self.state.chain(&chain).unwrap().leaf,
            caller: self.agent(caller).id.clone(),
            callee: request.callee,
            action: request.action,
            resource: request.resource,
            arguments: request.arguments.digest(b""),
            nonce: Nonce::new(self.rng),
            issued: self.now,
            expires: self.after(30_000),
            via: Via::Broker,
            channel: self.agent(caller).spki,
            extensions: Extensions::none(),
        }
    }

    /// A request to end a chain with so many beneath it, or an instance with all that it holds.
    pub fn revocation(
        &mut self,
        by: &str,
        chain: Option<ChainId>,
        instance: Option<InstanceId>,
        chains: u64,
    ) -> RevokeRequest {
        RevokeRequest {
            domain: domain(),
            sender: self.agent(by).id.clone(),
            chain,
            instance,
            chains,
            request_id: RequestId::new(self.now, self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// A change of a link; a breach is shown by some digest.
    pub fn change(&mut self, by: &str, side: Side, chain: ChainId, kind: ChangeKind) -> ChangeRequest {
        ChangeRequest {
            domain: domain(),
            sender: self.agent(by).id.clone(),
            side,
            chain,
            kind,
            invocation: None,
            evidence: (kind == ChangeKind::Breach).then(|| Digest::of(b"what shows it")),
            chains: self.state.live_subtree(chain).len() as u64,
            request_id: RequestId::new(self.now, self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// A fresh instance asks for a chain, and counts right.
    pub fn rebind_request(&mut self, by: &str, chain: ChainId) -> RebindRequest {
        RebindRequest {
            domain: domain(),
            sender: self.agent(by).id.clone(),
            chain,
            chains: self.state.live_subtree(chain).len() as u64,
            request_id: RequestId::new(self.now, self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// The grantor lets that instance take the chain over.
    pub fn rebind_consent(&mut self, by: &str, chain: ChainId, to: &str) -> RebindConsent {
        let (link, new) = (self.state.chain(&chain).unwrap(), self.agent(to));
        RebindConsent {
            domain: domain(),
            sender: self.agent(by).id.clone(),
            hop: link.hop(chain),
            from: link.holder.clone(),
            holder: Holder { instance: new.id.clone(), key: new.key.public() },
            evidence: self.state.instance(&new.id).unwrap().statement.evidence,
            request_id: RequestId::new(self.now, self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }
}

/// What the broker says of a newcomer's evidence.
pub fn attested(agent: &Agent, secret: Digest) -> Attested {
    Attested { attestor: "join_token".parse().unwrap(), evidence: secret, spki: agent.spki }
}

/// The receipt of a callee that did what the proof asks for, at the price of one call.
pub fn receipt(callee: &Agent, proof: &Signed, result: &[u8], now: Timestamp) -> Receipt {
    let claims: Proof = proof.peek_unverified().unwrap();
    Receipt {
        domain: domain(),
        invocation_id: claims.invocation_id,
        chain_id: claims.chain_id,
        proof: proof.digest(),
        callee: callee.id.clone(),
        outcome: ActionOutcome::Done,
        result: Digest::of(result),
        cost: Amount::new(1).unwrap(),
        finished: now,
        extensions: Extensions::none(),
    }
}
