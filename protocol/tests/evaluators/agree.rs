//! Table, Datalog and brute force agree on every request, and so does the whole decision.

use std::env;

use countersign_protocol::{
    capability as core,
    digest::{Digest, SpkiHash},
    extension::Extensions,
    ledger::{LeafIndex, Origin},
    refusal::{Reason, Refusal},
    signed::Statement as _,
    time::{Lifetime, Timestamp},
    token::{ActivatedBy, Activation, ActiveToken, Nonce, Presentation, Proof, Table, Token, Via},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use rand::rngs::mock::StepRng;

use crate::{
    brute::{self, No},
    cast,
    chains::{self, Chain, HOLDERS, Step},
    datalog::Datalog,
    plain::{Link, Request},
    requests::{self, Aim},
    tally::{self, Tally},
};

/// Requests that are made of one chain.
const USES: usize = 16;
const FEW: u32 = 4_000;

#[test]
fn three_evaluators_agree_on_random_chains_and_requests() {
    #[expect(clippy::disallowed_methods, reason = "how long a test runs is not the core's business")]
    let asked = env::var("COUNTERSIGN_EVALUATOR_CASES").ok();
    let cases: u32 = asked.as_ref().map_or(FEW, |cases| cases.parse().expect("a number"));
    let config =
        Config { cases: cases.div_ceil(USES as u32), failure_persistence: None, ..Config::default() };
    // The usual run decides the same cases each time; a long one draws new ones.
    let mut runner = match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let uses = prop::collection::vec((requests::aims(), any::<u64>()), USES);
    let tally = Tally::default();
    let run = runner.run(&(any::<u64>(), chains::steps(), uses), |(grant, steps, uses)| {
        agree(grant, &steps, &uses, &tally)
    });
    run.unwrap();
    tally.check();
}

fn agree(grant: u64, steps: &[(Step, u64)], uses: &[(Aim, u64)], tally: &Tally) -> Result<(), TestCaseError> {
    let chain = Chain::random(grant, steps);
    let verified = chain.token.verify(&cast::first_key_set());
    tally.count(tally::depth(steps.len()));
    match &verified {
        Ok(_) => prop_assert_ne!(chain.honest, Some(false), "a hop goes beyond the one before it"),
        Err(refusal) => {
            prop_assert_eq!(refusal.reason(), Reason::RightsWidened, "{}", refusal);
            prop_assert_ne!(chain.honest, Some(true), "{}", refusal);
        }
    }
    tally.count(if verified.is_ok() { "chain that verifies" } else { "chain that is refused" });
    let panel = Panel::of(chain, verified.ok());
    uses.iter().try_for_each(|(aim, seed)| {
        let (request, now) = requests::random(&panel.chain.links, *aim, *seed);
        panel.ask(&request, now, tally)
    })
}

/// All evaluators of one chain.
pub(crate) struct Panel {
    pub(crate) chain: Chain,
    /// Of a chain that the verifier refuses there is a table all the same.
    table: Table,
    datalog: Datalog,
    /// Where the chain verifies.
    active: Option<ActiveToken>,
}

impl Panel {
    pub(crate) fn of(chain: Chain, verified: Option<Token>) -> Self {
        let (leaf, ancestors) = chain.core.split_last().unwrap();
        let table = match &verified {
            Some(token) => token.table().clone(),
            None => Table::compile(ancestors, leaf),
        };
        let datalog = Datalog::of(&chain.token, leaf.chain_id);
        Self { table, datalog, active: verified.map(activate), chain }
    }

    /// Of a chain whose hops are all within the ones before them.
    pub(crate) fn sign(links: Vec<Link>) -> Self {
        let chain = Chain::sign(links, Some(true));
        let verified = chain.token.verify(&cast::first_key_set()).unwrap();
        Self::of(chain, Some(verified))
    }

    /// Asks all of them, and whether they say the same.
    pub(crate) fn ask(&self, request: &Request, now: u64, tally: &Tally) -> Result<(), TestCaseError> {
        let core = request.to_core();
        prop_assert_eq!(core.is_some(), brute::is_request(request), "whether it is a request: {:?}", request);
        let Some(core) = core else {
            tally.count("not a request");
            return Ok(());
        };
        let links = &self.chain.links;
        let answer = brute::decide(links, request, now);
        let native = self.table.decide(&core, cast::at(now));
        prop_assert_eq!(
            native.as_ref().map_err(no).copied(),
            answer,
            "the table, of {:?} at {}",
            request,
            now
        );
        prop_assert_eq!(
            self.datalog.allows(&core, now),
            answer.is_ok(),
            "Datalog, of {:?} at {}",
            request,
            now
        );
        if let Some(active) = &self.active {
            let at = cast::at(now);
            let proof = proof(active, &core, at).sign(&cast::key(HOLDERS[links.len() - 1]));
            let presented = Presentation { proof: &proof, request: &core, body: b"" };
            let whole = active.permit(&presented, at);
            prop_assert_eq!(whole.err(), native.err(), "the whole decision, of {:?} at {}", request, now);
            let audit = active.recheck(&proof, at).map(|recorded| recorded.whatever_the_arguments);
            let audit = audit.map_err(|refusal| no(&refusal));
            let known = brute::decide_without_arguments(links, request, now);
            prop_assert_eq!(audit, known, "the audit, of {:?} at {}", request, now);
            tally.count(format!("audit: {known:?}"));
            // Each hop by itself: what the leaf allows, every ancestor allows.
            prop_assert_eq!(brute::one(links.last().unwrap(), request, now).is_ok(), answer.is_ok());
        } else if answer.is_err() && brute::one(links.last().unwrap(), request, now).is_ok() {
            tally.count("refused chain whose leaf alone would allow");
        }
        tally.answer(answer);
        tally.questions(links, request);
        Ok(())
    }
}

fn no(refusal: &Refusal) -> No {
    match refusal.reason() {
        Reason::OutsideValidity => No::Time,
        Reason::AudienceMismatch => No::Audience,
        Reason::CheckFailed => No::Capability,
        other => panic!("{other:?} is none of a table's reasons"),
    }
}

fn activation_leaf() -> LeafIndex {
    LeafIndex::new(7).unwrap()
}

fn activate(token: Token) -> ActiveToken {
    let (activated_by, subject) = match token.leaf().contract {
        Some(contract) => (ActivatedBy::Contract, Digest::from_bytes(contract.to_array())),
        None => (ActivatedBy::Grant, token.grant().evidence.digest),
    };
    let domain = token.grant().domain.clone();
    let (leaf, origin, chain_id) = (activation_leaf(), Origin::of(&domain), token.chain_id());
    ActiveToken::new(token, Activation { domain, chain_id, activated_by, subject, leaf, origin }).unwrap()
}

/// What the holder signs to use the chain.
fn proof(active: &ActiveToken, request: &core::Request, now: Timestamp) -> Proof {
    Proof {
        domain: active.token().grant().domain.clone(),
        invocation_id: cast::uuid(7).parse().unwrap(),
        chain_id: active.token().chain_id(),
        activation_leaf: activation_leaf(),
        caller: active.token().leaf().holder.instance.clone(),
        callee: request.callee.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        arguments: request.arguments.digest(b""),
        nonce: Nonce::new(&mut StepRng::new(5, 1)),
        issued: now,
        expires: now.plus(Lifetime::from_millis(1000)),
        via: Via::Broker,
        channel: SpkiHash::from_bytes([9; 32]),
        extensions: Extensions::none(),
    }
}
