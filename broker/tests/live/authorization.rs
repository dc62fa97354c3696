//! Who may call what: every method, called by everyone, against one golden table.
//!
//! `COUNTERSIGN_BLESS=1` writes the table anew, to be read before it is committed.

use std::{fmt::Write as _, fs};

use countersign::Answer;
use countersign_protocol::{
    capability::Arguments,
    contract::{ChangeKind, ChangeRequest, RebindConsent, RebindRequest, Side},
    extension::Extensions,
    grant::GrantRequest,
    id::{GrantId, InvocationId, NegotiationId, RequestId, SessionId},
    negotiation::{Move, MoveKind, Request, empty_transcript, extend_transcript},
    payload::Payload,
    revocation::RevokeRequest,
    session::{Ephemeral, SessionOpening},
    signed::{Signed, Statement},
    time::Lifetime,
    token::{Nonce, Proof, Via},
};
use countersign_wire::{
    DESCRIPTOR_SET,
    v1::{
        self, activations_client::ActivationsClient, contracts_client::ContractsClient,
        enrolment_client::EnrolmentClient, grants_client::GrantsClient, graph_client::GraphClient,
        identity_client::IdentityClient, info_client::InfoClient, ledger_client::LedgerClient,
        mediation_client::MediationClient, negotiations_client::NegotiationsClient,
        operation_client::OperationClient, revocations_client::RevocationsClient,
    },
};
use prost::Message as _;
use rand::rngs::OsRng;
use tonic::{Code, Status, transport::Channel};

use crate::support::{Agent, DOMAIN, Newcomer, Story, principal, reason, rights};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/authorization.txt");

const HEADER: &str = "\
# Who may call what. `stranger` comes without a certificate to the listener for newcomers; `instance` is
# admitted and a party to nothing; `party` acts for the originator of the chain and is asked in the
# negotiation; `admin` administers the domain and is no party. `-`: not served to them at all.
# A number says how many things a list showed.
";

/// Everything that the methods are called about.
struct World {
    story: Story,
    answer: Answer,
    instance: Agent,
    party: Agent,
    /// Opened by somebody else, addressed to the party's principal.
    negotiation: Signed,
    negotiation_id: NegotiationId,
}

impl World {
    async fn new() -> Self {
        let story = Box::pin(Story::begin()).await;
        let answer = story.read("/data/eu/q3.csv").await.unwrap();
        let instance = story.broker.agent(&story.root, "agent/bystander").await;
        let party = story.broker.agent(&story.root, "human/alice").await;
        let asker = story.broker.agent(&story.root, "agent/asker").await;
        let (negotiation_id, negotiation) = open_negotiation(&story, &asker).await;
        Self { story, answer, instance, party, negotiation, negotiation_id }
    }
}

async fn open_negotiation(story: &Story, asker: &Agent) -> (NegotiationId, Signed) {
    let now = asker.clock.now();
    let (domain, id) = (DOMAIN.parse().unwrap(), NegotiationId::new(now, &mut OsRng));
    let deadline = now.plus(Lifetime::from_millis(60_000));
    let opening = Move {
        transcript: empty_transcript(&domain, id),
        domain,
        negotiation_id: id,
        sender: asker.instance().clone(),
        seq: 1,
        round: 1,
        audience: principal("human/alice"),
        deadline,
        request_id: RequestId::new(now, &mut OsRng),
        kind: MoveKind::Request,
        request: Some(Request {
            rights: rights(&story.alice, 5, 0, "/data"),
            purpose: countersign_protocol::digest::Digest::of(b"purpose"),
            deadline,
            max_rounds: 3,
            award: None,
        }),
        counter: None,
        offer: None,
        accept: None,
        extensions: Extensions::none(),
    };
    let signed = opening.sign(&asker.key);
    let request = v1::SubmitMoveRequest { trust_domain: DOMAIN.into(), signed_move: signed.to_bytes() };
    NegotiationsClient::new(asker.channel().await).submit_move(request).await.unwrap();
    (id, signed)
}

/// Calls one method as one caller, about the things of the world.
struct Caller<'a> {
    world: &'a World,
    who: &'a Agent,
    channel: Channel,
}

/// A request to the tests' domain; `first page of` leaves the rest to its default.
macro_rules! request {
    (first page of $name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        v1::$name { trust_domain: DOMAIN.into(), $($field: $value,)* ..Default::default() }
    };
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        v1::$name { trust_domain: DOMAIN.into(), $($field: $value,)* }
    };
}

impl Caller<'_> {
    async fn call(&self, method: &str) -> Result<Option<usize>, Status> {
        let channel = self.channel.clone();
        let (service, name) = method.split_once('/').unwrap();
        match service {
            "Enrolment" | "Info" | "Identity" | "Operation" => {
                self.call_about_identity(method, channel).await
            }
            "Negotiations" | "Contracts" => self.call_about_contracts(method, channel).await,
            "Graph" => self.call_about_the_graph(method, channel).await,
            "Revocations" | "Ledger" => self.call_about_the_ledger(method, channel).await,
            _ => self.call_about_chains(&format!("{service}/{name}"), channel).await,
        }
    }

    async fn call_about_identity(&self, method: &str, channel: Channel) -> Result<Option<usize>, Status> {
        let mut identity = IdentityClient::new(channel.clone());
        let instance = self.world.story.files.instance().to_string();
        match method {
            "Enrolment/Join" => {
                let newcomer = Newcomer::new(&self.who.clock);
                let token = &self.world.story.broker.first;
                let request = newcomer.request(token, &newcomer.statement(token));
                EnrolmentClient::new(channel).join(request).await.map(|_| None)
            }
            // Whoever may is told what is wrong with it: nobody else is to be stopped here.
            "Operation/Drain" => {
                let request = request!(DrainRequest { within_ms: u64::MAX, run: Vec::new() });
                OperationClient::new(channel).drain(request).await.map(|_| None)
            }
            "Info/GetInfo" => {
                InfoClient::new(channel).get_info(request!(GetInfoRequest {})).await.map(|_| None)
            }
            "Identity/Renew" => {
                let renewal = self.who.renewal().sign(&self.who.key).to_bytes();
                identity.renew(request!(RenewRequest { renewal: renewal })).await.map(|_| None)
            }
            "Identity/GetBundle" => identity.get_bundle(request!(GetBundleRequest {})).await.map(|_| None),
            "Identity/CreateJoinToken" => {
                let principal = principal("agent/new").to_string();
                let request = request!(CreateJoinTokenRequest { principal: principal, lifetime_ms: 1_000 });
                identity.create_join_token(request).await.map(|_| None)
            }
            "Identity/GetInstance" => {
                identity.get_instance(request!(GetInstanceRequest { instance: instance })).await.map(|_| None)
            }
            "Identity/ListInstances" => identity
                .list_instances(request!(first page of ListInstancesRequest {}))
                .await
                .map(|page| Some(page.into_inner().instances.len())),
            other => panic!("{other} is called by nobody"),
        }
    }

    async fn call_about_contracts(&self, method: &str, channel: Channel) -> Result<Option<usize>, Status> {
        let mut negotiations = NegotiationsClient::new(channel.clone());
        let mut contracts = ContractsClient::new(channel);
        let negotiation_id = self.world.negotiation_id.to_string();
        let contract_id = self.world.story.contracted.contract().unwrap().contract_id.to_string();
        match method {
            "Negotiations/SubmitMove" => {
                let request = request!(SubmitMoveRequest { signed_move: self.reject().to_bytes() });
                negotiations.submit_move(request).await.map(|_| None)
            }
            "Negotiations/GetNegotiation" => {
                let request = request!(GetNegotiationRequest { negotiation_id: negotiation_id });
                negotiations.get_negotiation(request).await.map(|_| None)
            }
            "Negotiations/ListNegotiations" => negotiations
                .list_negotiations(request!(first page of ListNegotiationsRequest {}))
                .await
                .map(|page| Some(page.into_inner().negotiations.len())),
            "Negotiations/WatchNegotiations" => negotiations
                .watch_negotiations(request!(first page of WatchNegotiationsRequest {}))
                .await
                .map(|_| None),
            "Contracts/GetContract" => contracts
                .get_contract(request!(GetContractRequest { contract_id: contract_id }))
                .await
                .map(|_| None),
            "Contracts/ChangeContract" => {
                let request = request!(ChangeContractRequest { change_request: self.change().to_bytes() });
                contracts.change_contract(request).await.map(|_| None)
            }
            "Contracts/ListRebindable" => contracts
                .list_rebindable(request!(first page of ListRebindableRequest {}))
                .await
                .map(|page| Some(page.into_inner().links.len())),
            "Contracts/RebindContract" => {
                let request = request!(RebindContractRequest { rebind_request: self.rebind().to_bytes() });
                contracts.rebind_contract(request).await.map(|_| None)
            }
            "Contracts/ConsentToRebind" => {
                let request = request!(ConsentToRebindRequest { rebind_consent: self.consent().to_bytes() });
                contracts.consent_to_rebind(request).await.map(|_| None)
            }
            "Contracts/ListContracts" => contracts
                .list_contracts(request!(first page of ListContractsRequest {}))
                .await
                .map(|page| Some(page.into_inner().links.len())),
            other => panic!("{other} is called by nobody"),
        }
    }

    async fn call_about_chains(&self, method: &str, channel: Channel) -> Result<Option<usize>, Status> {
        let chain_id = self.world.story.contracted.chain_id().as_bytes().to_vec();
        match method {
            "Grants/IssueGrant" => {
                let request = request!(IssueGrantRequest { grant_request: self.grant().to_bytes() });
                GrantsClient::new(channel).issue_grant(request).await.map(|_| None)
            }
            "Grants/ListGrants" => GrantsClient::new(channel)
                .list_grants(request!(first page of ListGrantsRequest {}))
                .await
                .map(|page| Some(page.into_inner().grants.len())),
            "Activations/GetActivation" => {
                let request = request!(GetActivationRequest { chain_id: chain_id });
                ActivationsClient::new(channel).get_activation(request).await.map(|_| None)
            }
            "Mediation/Invoke" => {
                let request = request!(InvokeRequest {
                    token: self.world.story.contracted.token().as_bytes().to_vec(),
                    proof: self.proof().to_bytes(),
                    arguments: Arguments::new(Vec::new()).unwrap().to_bytes(),
                    body: Vec::new(),
                });
                MediationClient::new(channel).invoke(request).await.map(|_| None)
            }
            "Mediation/InvokeStream" => {
                let first = tokio_stream::once(request!(first page of InvokeStreamRequest {
                    token: self.world.story.contracted.token().as_bytes().to_vec(),
                    proof: self.proof().to_bytes(),
                    arguments: Arguments::new(Vec::new()).unwrap().to_bytes()
                }));
                MediationClient::new(channel).invoke_stream(first).await.map(|_| None)
            }
            "Mediation/OpenSession" => {
                let first = tokio_stream::once(v1::OpenSessionRequest {
                    trust_domain: DOMAIN.into(),
                    token: self.world.story.contracted.token().as_bytes().to_vec(),
                    opening: self.opening().to_bytes(),
                    ..Default::default()
                });
                MediationClient::new(channel).open_session(first).await.map(|_| None)
            }
            "Mediation/Serve" => {
                let hello = tokio_stream::once(request!(first page of ServeRequest { capacity: 1 }));
                MediationClient::new(channel).serve(hello).await.map(|_| None)
            }
            other => panic!("{other} is called by nobody"),
        }
    }

    async fn call_about_the_graph(&self, method: &str, channel: Channel) -> Result<Option<usize>, Status> {
        let mut graph = GraphClient::new(channel);
        let chain_id = self.world.story.contracted.chain_id().as_bytes().to_vec();
        let holder = self.world.story.contracted.holder().instance.principal().to_string();
        let [callee, action, resource] =
            [principal("service/files").as_str(), "files:read", "file:/data/eu/q3.csv"].map(str::to_owned);
        match method {
            "Graph/ListEdges" => graph
                .list_edges(request!(first page of ListEdgesRequest {}))
                .await
                .map(|page| Some(page.into_inner().edges.len())),
            "Graph/WhoCan" => graph
                .who_can(request!(first page of WhoCanRequest { callee: callee, action: action, resource: resource }))
                .await
                .map(|page| Some(page.into_inner().abilities.len())),
            "Graph/WhatCan" => graph
                .what_can(request!(first page of WhatCanRequest { holder: holder }))
                .await
                .map(|page| Some(page.into_inner().edges.len())),
            "Graph/ListPaths" => graph
                .list_paths(request!(first page of ListPathsRequest { holder: holder }))
                .await
                .map(|page| Some(page.into_inner().paths.len())),
            "Graph/Can" => {
                let request = request!(first page of CanRequest {
                    chain_id: chain_id,
                    callee: callee,
                    action: action,
                    resource: resource,
                });
                graph.can(request).await.map(|_| None)
            }
            "Graph/WatchEdges" => {
                graph.watch_edges(request!(first page of WatchEdgesRequest {})).await.map(|_| None)
            }
            other => panic!("{other} is called by nobody"),
        }
    }

    async fn call_about_the_ledger(&self, method: &str, channel: Channel) -> Result<Option<usize>, Status> {
        let mut ledger = LedgerClient::new(channel.clone());
        let mut revocations = RevocationsClient::new(channel);
        let chain_id = self.world.story.contracted.chain_id().as_bytes().to_vec();
        match method {
            "Revocations/PreviewRevocation" => {
                let request = request!(first page of PreviewRevocationRequest { chain_id: chain_id });
                revocations.preview_revocation(request).await.map(|page| Some(page.into_inner().links.len()))
            }
            "Revocations/Revoke" => {
                let request = request!(RevokeRequest { revoke_request: self.revocation().to_bytes() });
                revocations.revoke(request).await.map(|_| None)
            }
            "Revocations/WatchRevocations" => revocations
                .watch_revocations(request!(first page of WatchRevocationsRequest {}))
                .await
                .map(|_| None),
            "Ledger/GetCheckpoint" => {
                ledger.get_checkpoint(request!(GetCheckpointRequest {})).await.map(|_| None)
            }
            "Ledger/ListEntries" => {
                ledger.list_entries(request!(first page of ListEntriesRequest {})).await.map(|_| None)
            }
            "Ledger/ProveInclusion" => ledger
                .prove_inclusion(request!(ProveInclusionRequest { leaf: 1, size: 2 }))
                .await
                .map(|_| None),
            "Ledger/ProveConsistency" => {
                let request = request!(ProveConsistencyRequest { old_size: 1, new_size: 2 });
                ledger.prove_consistency(request).await.map(|_| None)
            }
            "Ledger/Explain" => {
                let invocation_id = self.world.answer.invocation.to_string();
                ledger.explain(request!(ExplainRequest { invocation_id: invocation_id })).await.map(|_| None)
            }
            other => panic!("{other} is called by nobody"),
        }
    }

    /// A refusal of what the asker wants of alice, as the caller's own.
    fn reject(&self) -> Signed {
        let opening: Move = self.world.negotiation.peek_unverified().unwrap();
        let reject = Move {
            sender: self.who.instance().clone(),
            transcript: extend_transcript(opening.transcript, &self.world.negotiation),
            audience: opening.sender.principal().clone(),
            request_id: RequestId::new(self.who.clock.now(), &mut OsRng),
            kind: MoveKind::Reject,
            request: None,
            ..opening
        };
        reject.sign(&self.who.key)
    }

    /// A grant under alice's rule, by the caller.
    fn grant(&self) -> Signed {
        let now = self.who.clock.now();
        let request = GrantRequest {
            domain: DOMAIN.parse().unwrap(),
            grant_id: GrantId::new(now, &mut OsRng),
            originator: self.who.instance().clone(),
            holder: self.world.story.planner.instance().clone(),
            rights: rights(&self.world.story.alice, 5, 0, "/data"),
            issued: now,
            extensions: Extensions::none(),
        };
        request.sign(&self.who.key)
    }

    /// A use of the researcher's chain, by the caller.
    fn opening(&self) -> Signed {
        let (now, held) = (self.who.clock.now(), &self.world.story.contracted);
        let opening = SessionOpening {
            domain: DOMAIN.parse().unwrap(),
            session_id: SessionId::new(now, &mut OsRng),
            chain_id: held.chain_id(),
            activation_leaf: held.active().activation().leaf,
            caller: self.who.instance().clone(),
            callee: principal("service/files"),
            key: Ephemeral::generate(&mut OsRng).public(),
            sign_every: 1,
            sign_within: Lifetime::from_millis(1_000),
            nonce: Nonce::new(&mut OsRng),
            issued: now,
            expires: now.plus(Lifetime::from_millis(30_000)),
            channel: self.who.actor().spki,
            extensions: Extensions::none(),
        };
        opening.sign(&self.who.key)
    }

    fn proof(&self) -> Signed {
        let (now, held) = (self.who.clock.now(), &self.world.story.contracted);
        let proof = Proof {
            domain: DOMAIN.parse().unwrap(),
            invocation_id: InvocationId::new(now, &mut OsRng),
            chain_id: held.chain_id(),
            activation_leaf: held.active().activation().leaf,
            caller: self.who.instance().clone(),
            callee: principal("service/files"),
            action: "files:read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: Arguments::new(Vec::new()).unwrap().digest(b""),
            nonce: Nonce::new(&mut OsRng),
            issued: now,
            expires: now.plus(Lifetime::from_millis(30_000)),
            via: Via::Broker,
            channel: self.who.actor().spki,
            extensions: Extensions::none(),
        };
        proof.sign(&self.who.key)
    }

    /// An end of the researcher's chain, by the caller. It names no number, so whoever may revoke is
    /// told that the number is wrong, and the next caller finds the same world.
    fn revocation(&self) -> Signed {
        let now = self.who.clock.now();
        let request = RevokeRequest {
            domain: DOMAIN.parse().unwrap(),
            sender: self.who.instance().clone(),
            chain: Some(self.world.story.contracted.chain_id()),
            instance: None,
            chains: 9,
            request_id: RequestId::new(now, &mut OsRng),
            issued: now,
            extensions: Extensions::none(),
        };
        request.sign(&self.who.key)
    }
}

impl Caller<'_> {
    /// Nobody here is of the researcher's principal, nor was the planner asked.
    fn rebind(&self) -> Signed {
        let now = self.who.clock.now();
        let request = RebindRequest {
            domain: DOMAIN.parse().unwrap(),
            sender: self.who.instance().clone(),
            chain: self.world.story.contracted.chain_id(),
            chains: 1,
            request_id: RequestId::new(now, &mut OsRng),
            issued: now,
            extensions: Extensions::none(),
        };
        request.sign(&self.who.key)
    }

    fn consent(&self) -> Signed {
        let (now, contracted) = (self.who.clock.now(), &self.world.story.contracted);
        let consent = RebindConsent {
            domain: DOMAIN.parse().unwrap(),
            sender: self.who.instance().clone(),
            hop: contracted.chain_id(),
            from: contracted.holder().instance.clone(),
            holder: contracted.holder().clone(),
            evidence: countersign_protocol::digest::Digest::of(b"evidence"),
            request_id: RequestId::new(now, &mut OsRng),
            issued: now,
            extensions: Extensions::none(),
        };
        consent.sign(&self.who.key)
    }

    /// A suspension of alice's grant, by the admin as such and by all others as its grantor. It names no
    /// number either.
    fn change(&self) -> Signed {
        let now = self.who.clock.now();
        let admin = self.who.instance() == self.world.story.root.instance();
        let request = ChangeRequest {
            domain: DOMAIN.parse().unwrap(),
            sender: self.who.instance().clone(),
            side: if admin { Side::Admin } else { Side::Grantor },
            chain: self.world.story.granted.chain_id(),
            kind: ChangeKind::Suspend,
            invocation: None,
            evidence: None,
            chains: 9,
            request_id: RequestId::new(now, &mut OsRng),
            issued: now,
            extensions: Extensions::none(),
        };
        request.sign(&self.who.key)
    }
}

/// Every method of the specification.
fn methods() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap();
    let mut methods = Vec::new();
    for service in set.file.iter().flat_map(|file| &file.service) {
        methods.extend(service.method.iter().map(|method| format!("{}/{}", service.name(), method.name())));
    }
    methods.sort();
    methods
}

async fn outcome(world: &World, who: &Agent, channel: Channel, method: &str) -> String {
    match (Caller { world, who, channel }).call(method).await {
        Ok(None) => "ok".to_owned(),
        Ok(Some(count)) => format!("ok: {count}"),
        Err(status) if status.code() == Code::Unimplemented => "-".to_owned(),
        Err(status) => reason(&status),
    }
}

#[tokio::test]
async fn every_method_answers_everyone_as_the_golden_table_says() {
    let world = World::new().await;
    let first = &world.story.broker.first;
    let outside = Newcomer::new(&world.instance.clock).enrolment(first).await;
    let methods = methods();
    assert!(methods.len() > 25, "{methods:?}");
    let mut table = HEADER.to_owned();
    let row = |table: &mut String, cells: [&str; 5]| {
        let [method, stranger, instance, party, admin] = cells;
        let line = format!("{method:<34}{stranger:<16}{instance:<20}{party:<20}{admin}");
        writeln!(table, "{}", line.trim_end()).unwrap();
    };
    row(&mut table, ["", "stranger", "instance", "party", "admin"]);
    for method in &methods {
        let mut cells = vec![outcome(&world, &world.instance, outside.clone(), method).await];
        for who in [&world.instance, &world.party, &world.story.root] {
            cells.push(outcome(&world, who, who.channel().await, method).await);
        }
        row(&mut table, [method, &cells[0], &cells[1], &cells[2], &cells[3]]);
    }
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        fs::write(GOLDEN, &table).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(table, golden, "COUNTERSIGN_BLESS=1 writes it anew");
}
