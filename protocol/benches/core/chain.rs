//! A chain whose every link has three constraints, and what is needed to use it.

use std::hint::black_box;

use countersign_forge::{
    biscuit::Container, domain, domain_key, grant_terms, holder, hop_terms, instance_key, keys, principal,
    rights,
};
use countersign_protocol::{
    capability::{
        Argument, Arguments, Capability, Constraint, IntRange, IpName, Request, Rights, Rule, Value,
    },
    digest::{Digest, SpkiHash},
    extension::Extensions,
    id::InvocationId,
    ledger::{LeafIndex, Origin},
    payload::{Ascending, Bounded, Payload as _},
    refusal::Refusal,
    signed::{Signed, Statement as _},
    time::{Lifetime, Timestamp},
    token::{
        ActivatedBy, Activation, ActiveToken, GrantTerms, HopTerms, Nonce, Presentation, Proof,
        UnverifiedToken, Via,
    },
};
use rand::{SeedableRng as _, rngs::StdRng};

const HOLDERS: [&str; 9] =
    ["planner", "researcher", "fetcher", "reader", "sorter", "ranker", "filter", "writer", "closer"];

pub(crate) struct Chain {
    pub(crate) hops: usize,
    pub(crate) token: Vec<u8>,
    pub(crate) activation: Activation,
    /// The signed proof, as it is received.
    proof: Vec<u8>,
    request: Request,
}

impl Chain {
    fn container(hops: usize) -> Container {
        let terms = GrantTerms { rights: narrowed(0), ..grant_terms() };
        let mut container = Container::grant(&terms, &domain_key(201));
        for hop in 1..=hops {
            let terms = HopTerms { rights: narrowed(hop), holder: holder(HOLDERS[hop]), ..hop_terms("x", 1) };
            container = container.hop(&terms, &instance_key(HOLDERS[hop - 1]));
        }
        container
    }

    pub(crate) fn new(hops: usize) -> Self {
        let container = Self::container(hops);
        let token = container.verified(&keys());
        let activation = Activation {
            domain: domain(),
            chain_id: token.chain_id(),
            activated_by: ActivatedBy::Contract,
            subject: Digest::from_bytes(token.leaf().contract.expect("a hop has one").to_array()),
            leaf: LeafIndex::new(7).unwrap(),
            origin: Origin::of(&domain()),
        };
        let mut chain =
            Self { hops, token: container.bytes(), activation, proof: Vec::new(), request: request() };
        chain.proof = chain.proof_for(&request());
        chain
    }

    /// The chain without its last hop.
    pub(crate) fn parent(&self) -> UnverifiedToken {
        UnverifiedToken::from_bytes(Self::container(self.hops - 1).bytes())
    }

    pub(crate) fn active(&self) -> ActiveToken {
        let token = UnverifiedToken::from_bytes(self.token.clone());
        ActiveToken::new(token.verify(&keys()).unwrap(), self.activation.clone()).unwrap()
    }

    /// From the bytes of the proof to the decision.
    pub(crate) fn decide(&self, active: &ActiveToken) -> Result<(), Refusal> {
        let proof = Signed::from_bytes(black_box(&self.proof)).unwrap();
        let presented = Presentation { proof: &proof, request: black_box(&self.request), body: b"" };
        active.permit(&presented, now()).map(|permit| drop(black_box(permit)))
    }

    fn proof(&self, request: &Request) -> Proof {
        let mut rng = StdRng::seed_from_u64(5);
        Proof {
            domain: domain(),
            invocation_id: InvocationId::new(now(), &mut rng),
            chain_id: self.activation.chain_id,
            activation_leaf: self.activation.leaf,
            caller: holder(HOLDERS[self.hops]).instance,
            callee: request.callee.clone(),
            action: request.action.clone(),
            resource: request.resource.clone(),
            arguments: request.arguments.digest(b""),
            nonce: Nonce::new(&mut rng),
            issued: now(),
            expires: now().plus(Lifetime::from_millis(30_000)),
            via: Via::Broker,
            channel: SpkiHash::from_bytes([9; 32]),
            extensions: Extensions::none(),
        }
    }

    pub(crate) fn proof_for(&self, request: &Request) -> Vec<u8> {
        self.proof(request).sign(&instance_key(HOLDERS[self.hops])).to_bytes()
    }

    /// The holder's signature with one bit flipped.
    pub(crate) fn with_a_bad_signature(&self) -> Vec<u8> {
        let mut proof = self.proof.clone();
        *proof.last_mut().unwrap() ^= 1;
        Signed::from_bytes(&proof).expect("its form is good");
        proof
    }

    pub(crate) fn signed_by_a_stranger(&self) -> Vec<u8> {
        self.proof(&self.request).sign(&instance_key("mallory")).to_bytes()
    }
}

/// As the domain hands it out.
pub(crate) fn signed_activation(chain: &Chain) -> Vec<u8> {
    chain.activation.sign(&domain_key(202)).to_bytes()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::new(countersign_forge::START_MS + 50).unwrap()
}

/// Rights that each hop narrows, so that no two links are merged.
fn narrowed(hop: usize) -> Rights {
    let constraint = |argument: &str, rule| Constraint { argument: argument.parse().unwrap(), rule };
    let formats = ["csv", "json", "parquet"].map(|format| format.parse().unwrap());
    let capability = Capability {
        resource: "file:/data/eu/**".parse().unwrap(),
        actions: Ascending::new(vec!["read".parse().unwrap()]).unwrap(),
        constraints: Bounded::new(vec![
            constraint("format", Rule::TextIn(Ascending::new(formats.into()).unwrap())),
            constraint("from", Rule::IpIn("10.1.0.0/16".parse().unwrap())),
            constraint("max_bytes", Rule::IntRange(IntRange { min: 1, max: 4096 - hop as i64 })),
        ])
        .unwrap(),
    };
    Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        ..rights(500 - hop as u64, 16 - hop as u32)
    }
}

/// What every link allows.
pub(crate) fn request() -> Request {
    let argument = |name: &str, value| Argument { name: name.parse().unwrap(), value };
    let arguments = vec![
        argument("format", Value::Text("csv".parse().unwrap())),
        argument("from", Value::Ip(IpName::new([10, 1, 2, 3].into()).unwrap())),
        argument("max_bytes", Value::Int(1000)),
    ];
    Request {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/2026/q3.csv".parse().unwrap(),
        arguments: Arguments::new(arguments).unwrap(),
    }
}
