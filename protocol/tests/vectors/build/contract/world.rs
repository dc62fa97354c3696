//! A small trust domain: alice grants planner, and planner negotiates.

use countersign_protocol::{
    contract::{
        Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Party, Rebind,
        SeenCheckpoint,
    },
    digest::{ChainId, Digest, SpkiHash},
    domain::{Actor, Attested, Context, Decision, Entry, GrantRule, Policy, State},
    extension::Extensions,
    grant::GrantRequest,
    identity::{JoinStatement, RenewStatement},
    name::InstanceId,
    negotiation::{Accept, Move, MoveKind, Offer, Request, empty_transcript},
    payload::Payload,
    revocation::RevokeRequest,
    signed::{Algorithm, Signed, Statement, sign_detached},
    time::Lifetime,
    token::{HopTerms, Token, UnverifiedToken, sign_hop},
};

use super::cast;

/// A ledger that the rules allow, and the state that it folds into.
#[derive(Clone)]
pub(super) struct World {
    pub(super) state: State,
    pub(super) entries: Vec<Vec<u8>>,
}

impl World {
    /// The domain's keys, alice, planner, researcher and fetcher, and alice's grant to planner.
    pub(super) fn new() -> Self {
        let mut world = Self { state: State::default(), entries: Vec::new() };
        world.decide(|state, context| state.decide_keys(context, &cast::first_key_set()));
        for name in ["alice", "planner", "researcher", "fetcher"] {
            world.join(name);
        }
        let request = GrantRequest {
            domain: "acme.example".parse().unwrap(),
            grant_id: cast::uuid(16).parse().unwrap(),
            originator: cast::instance("alice"),
            holder: cast::instance("planner"),
            rights: cast::rights(0),
            issued: cast::at(cast::NOW),
            extensions: Extensions::none(),
        };
        let signed = request.sign(&cast::key("alice"));
        world.decide(|state, context| state.decide_grant(context, &actor("alice"), &signed));
        world
    }

    /// Decides and records; what the vectors are built on is never refused.
    pub(super) fn decide(&mut self, decide: impl FnOnce(&State, &Context<'_>) -> Decision) {
        self.decide_under(policy(), decide);
    }

    fn decide_under(&mut self, policy: Policy, decide: impl FnOnce(&State, &Context<'_>) -> Decision) {
        let (key, domain) = (cast::key("capability"), "acme.example".parse().unwrap());
        let now = cast::at(cast::NOW);
        let rebind_key = &cast::key("rebind");
        let policy = &policy;
        let context = Context { now, policy, capability_key: (1, &key), rebind_key, domain: &domain };
        for event in decide(&self.state, &context).unwrap() {
            let entry = Entry { time: now, event };
            self.state = std::mem::take(&mut self.state).evolve(&entry);
            self.entries.push(entry.to_bytes());
        }
    }

    fn join(&mut self, name: &str) {
        let evidence = Digest::of(format!("join token of {name}").as_bytes());
        let expires = cast::at(cast::NOW + 60_000);
        let principal = cast::principal(name);
        self.decide(|state, context| state.decide_join_token(context, None, evidence, &principal, expires));
        let join = JoinStatement {
            domain: "acme.example".parse().unwrap(),
            instance: cast::instance(name),
            key: cast::public(name),
            spki: spki(name),
            configuration: configuration(),
            evidence,
            issued: cast::at(cast::NOW),
            extensions: Extensions::none(),
        };
        let join = join.sign(&cast::key(name));
        let attested = Attested { attestor: "join_token".parse().unwrap(), evidence, spki: spki(name) };
        self.decide(|state, context| state.decide_join(context, &join, &attested));
    }

    pub(super) fn submit(&mut self, sender: &str, made: &Signed) {
        self.decide(|state, context| state.decide_move(context, &actor(sender), made));
    }

    /// alice revokes her grant, and everything beneath it.
    pub(super) fn revoke_grant(&mut self) {
        let chain = self.state.grant(&cast::uuid(16).parse().unwrap());
        self.revoke("alice", chain, None);
    }

    /// planner's running copy ends itself, and all that it holds.
    pub(super) fn revoke_planner(&mut self) {
        self.revoke("planner", None, Some(cast::instance("planner")));
    }

    /// The next certificate of that instance lives so long.
    pub(super) fn renew(&mut self, name: &str, millis: u64) {
        let renewal = RenewStatement {
            domain: "acme.example".parse().unwrap(),
            instance: cast::instance(name),
            spki: spki(name),
            configuration: configuration(),
            generation: 1,
            issued: cast::at(cast::NOW),
            extensions: Extensions::none(),
        };
        let signed = renewal.sign(&cast::key(name));
        let policy = Policy { svid_lifetime: Lifetime::from_millis(millis), ..policy() };
        self.decide_under(policy, |state, context| state.decide_renew(context, &actor(name), &signed));
    }

    fn revoke(&mut self, sender: &str, chain: Option<ChainId>, instance: Option<InstanceId>) {
        let request = RevokeRequest {
            domain: "acme.example".parse().unwrap(),
            sender: cast::instance(sender),
            chain,
            instance,
            // Nothing hangs beneath the grant where this is used.
            chains: 1,
            request_id: cast::uuid(80).parse().unwrap(),
            issued: cast::at(cast::NOW),
            extensions: Extensions::none(),
        };
        let signed = request.sign(&cast::key(sender));
        self.decide(|state, context| state.decide_revoke(context, &actor(sender), &signed));
    }

    pub(super) fn seen(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.state.tree().size(), root: self.state.tree().root() }
    }

    fn grant_token(&self) -> Token {
        let chain = self.state.grant(&cast::uuid(16).parse().unwrap()).unwrap();
        let token = self.state.chain(&chain).unwrap().token.clone();
        UnverifiedToken::from_bytes(token).verify(&cast::first_key_set()).unwrap()
    }
}

fn policy() -> Policy {
    let rule = GrantRule {
        originator: cast::principal("alice"),
        principal: cast::principal("planner"),
        rights: cast::rights(0),
        lifetime: Lifetime::from_millis(86_400_000),
        digest: Digest::of(b"rule"),
    };
    Policy {
        admins: Vec::new(),
        grant_rules: vec![rule],
        svid_lifetime: Lifetime::from_millis(300_000),
        human_svid_lifetime: Lifetime::from_millis(3_600_000),
        digest: Digest::of(b"policy"),
    }
}

fn spki(name: &str) -> SpkiHash {
    SpkiHash::from_bytes(Digest::of(format!("TLS key of {name}").as_bytes()).to_array())
}

fn configuration() -> Digest {
    Digest::of(b"model, prompt, tools")
}

fn actor(name: &str) -> Actor {
    Actor { instance: cast::instance(name), spki: spki(name) }
}

fn party(name: &str) -> Party {
    Party { instance: cast::instance(name), key: cast::public(name), configuration: configuration() }
}

/// One negotiation, of which the request is recorded.
pub(super) struct Talk {
    number: u64,
    grantor: &'static str,
    grantee: &'static str,
}

impl Talk {
    pub(super) fn request(
        world: &mut World,
        grantor: &'static str,
        grantee: &'static str,
        number: u64,
    ) -> Self {
        let talk = Self { number, grantor, grantee };
        let mut made = talk.bare(world, grantee, MoveKind::Request);
        let deadline = cast::at(cast::NOW + 600_000);
        let purpose = Digest::of(b"quarterly figures");
        made.request =
            Some(Request { rights: cast::rights(1), purpose, deadline, max_rounds: 5, award: None });
        world.submit(grantee, &made.sign(&cast::key(grantee)));
        talk
    }

    fn id(&self) -> countersign_protocol::id::NegotiationId {
        cast::uuid(48 + self.number).parse().unwrap()
    }

    /// The sender's next move, without content.
    fn bare(&self, world: &World, sender: &str, kind: MoveKind) -> Move {
        let (id, known) = (self.id(), world.state.negotiation(&self.id()));
        let sender_id = cast::instance(sender);
        let own = known.map_or(0, |talk| talk.moves.iter().filter(|made| made.sender == sender_id).count());
        let domain: countersign_protocol::name::TrustDomain = "acme.example".parse().unwrap();
        let audience = if sender == self.grantor { self.grantee } else { self.grantor };
        Move {
            negotiation_id: id,
            sender: sender_id,
            seq: own as u32 + 1,
            round: known.map_or(1, |talk| talk.round),
            transcript: known.map_or(empty_transcript(&domain, id), |talk| talk.transcript),
            domain,
            audience: cast::principal(audience),
            deadline: cast::at(cast::NOW + 120_000),
            request_id: cast::uuid(1000 * self.number + kind as u64).parse().unwrap(),
            kind,
            request: None,
            counter: None,
            offer: None,
            accept: None,
            extensions: Extensions::none(),
        }
    }

    /// The contract that an honest grantor offers.
    pub(super) fn body(&self, world: &World) -> ContractBody {
        let talk = world.state.negotiation(&self.id()).unwrap();
        ContractBody {
            version: ContractVersion::V1,
            contract_id: cast::uuid(64 + self.number).parse().unwrap(),
            negotiation_id: self.id(),
            transcript: talk.transcript,
            domain: "acme.example".parse().unwrap(),
            grantor: party(self.grantor),
            grantee: party(self.grantee),
            originator: cast::principal("alice"),
            grant_id: cast::uuid(16).parse().unwrap(),
            parent: world.grant_token().chain_id(),
            depth: 1,
            rights: cast::rights(1),
            rebind: Rebind::Never,
            disclosure: Disclosure::Full,
            max_staleness: Lifetime::from_millis(1000),
            offline: Offline::Forbidden,
            purpose: talk.purpose,
            acceptance: Acceptance::SignedReceipt,
            failure: FailurePolicy::SettleReserved,
            seen: world.seen(),
            algorithm: Algorithm::Ed25519,
            replaces: None,
            extensions: Extensions::none(),
        }
    }

    /// The offer of a contract, which planner signs: contract, hop and move.
    pub(super) fn offer(&self, world: &World, body: &ContractBody) -> Move {
        let key = cast::key(self.grantor);
        let contract = body.to_bytes();
        let mut made = self.bare(world, self.grantor, MoveKind::Offer);
        made.offer = Some(Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &contract, &key),
            hop_signature: self.hop_signature(world, &body.hop_terms(), self.grantor),
            contract,
            expires: cast::at(cast::NOW + 60_000),
        });
        made
    }

    pub(super) fn hop_signature(
        &self,
        world: &World,
        terms: &HopTerms,
        signer: &str,
    ) -> countersign_protocol::key::Signature {
        sign_hop(&world.grant_token(), terms, &cast::key(signer))
    }

    /// The grantee's acceptance of that contract.
    pub(super) fn accept(&self, world: &World, body: &ContractBody) -> Move {
        let mut made = self.bare(world, self.grantee, MoveKind::Accept);
        made.accept = Some(Accept {
            contract: body.hash(),
            contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), &cast::key(self.grantee)),
            seen: world.seen(),
        });
        made
    }

    /// Records an offer of the contract.
    pub(super) fn record_offer(&self, world: &mut World, body: &ContractBody) {
        let offer = self.offer(world, body).sign(&cast::key(self.grantor));
        world.submit(self.grantor, &offer);
    }

    /// Records offer and acceptance.
    pub(super) fn record_contract(&self, world: &mut World, body: &ContractBody) {
        self.record_offer(world, body);
        let accept = self.accept(world, body).sign(&cast::key(self.grantee));
        world.submit(self.grantee, &accept);
    }
}
