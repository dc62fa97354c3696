//! Joining, staying, and who is who.

use std::sync::atomic::Ordering;

use countersign_protocol::{
    digest::{Digest, SpkiHash},
    domain::{Attested, Event},
    id::LogId,
    identity::{InstanceStatement, JoinStatement, RenewStatement},
    join_token::JoinSecret,
    key::SigningKey,
    ledger::{Checkpoint, EMPTY_ROOT, LeafIndex, NoteVerifier, Origin, TreeSize},
    name::InstanceId,
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::Signed,
    time::Lifetime,
    trust::{KeyPurpose, KeyRotation, KeySet},
};
use countersign_wire::v1;
use rand_core::OsRng;
use tonic::{Request, Response, Status};

use super::{Authority, DOMAIN, Lie, Services, Shared, domain, malformed, now, principal, status};

impl Shared {
    fn certificate(&self, instance: &InstanceId, spki: &[u8], generation: u32) -> v1::Certificate {
        let (mut instance, mut spki) = (instance.clone(), spki.to_vec());
        if self.lying(Lie::CertificateOfAnother) {
            instance = format!("spiffe://{DOMAIN}/agent/mallory/i/01939f3e-0000-7000-8000-000000000009")
                .parse()
                .unwrap();
        }
        if self.lying(Lie::CertificateForAnotherKey) {
            spki = rcgen::PublicKeyData::subject_public_key_info(&rcgen::KeyPair::generate().unwrap());
        }
        let millis = self.svid_ms.load(Ordering::SeqCst);
        let der = self.authority.certify(&spki, &instance, now(), millis);
        v1::Certificate { der, expires_ms: now().as_millis() + millis, generation }
    }

    fn bundle(&self) -> v1::Bundle {
        let public = |key: &SigningKey| key.public();
        let keys = &self.keys;
        let set = match self.lying(Lie::KeysOfAnotherDomain) {
            false => keys.set.clone(),
            true => {
                let [a, b, c, d] =
                    [&keys.capability, &keys.activation, &keys.checkpoint, &keys.rebind].map(public);
                KeySet::new("evil.example".parse().unwrap(), a, b, c, d).unwrap()
            }
        };
        let log = match self.lying(Lie::LogKeyOfAnother) {
            false => public(&keys.checkpoint),
            true => SigningKey::generate(&mut OsRng).public(),
        };
        let authority = match self.lying(Lie::OtherAuthority) {
            false => self.authority.certificate.to_vec(),
            true => Authority::new(DOMAIN, now()).certificate.to_vec(),
        };
        let beside = self.lying(Lie::ForeignAuthorityBeside);
        let beside = beside.then(|| Authority::new("evil.example", now()).certificate.to_vec());
        let origin = Origin::of(&domain());
        let successor = (KeyPurpose::Activation, SigningKey::generate(&mut OsRng).public());
        let strangers = self.lying(Lie::KeysThatDoNotFollow).then(|| {
            let next = set.rotated(&[successor], LeafIndex::new(1_000).unwrap()).unwrap();
            let rotation = KeyRotation { previous: Digest::of(&set.to_bytes()), keys: next, restored: None };
            let own = SigningKey::generate(&mut OsRng);
            rotation.signed([&keys.capability, &own, &keys.checkpoint, &keys.rebind])
        });
        let restored = self.lying(Lie::KeysOfARestoredLedger).then(|| self.restored());
        let strangers = strangers.or(restored);
        let named = strangers.as_ref().map(|signed| signed.peek_unverified::<KeyRotation>().unwrap().keys);
        let named_log = named.as_ref().and_then(KeySet::log_verifier).filter(|log| *log.name() != origin);
        let (origin, log) = named_log.map_or((origin, log), |log| (log.name().clone(), *log.key()));
        v1::Bundle {
            ca_certificates: [authority].into_iter().chain(beside).collect(),
            key_set: named.unwrap_or(set).to_bytes(),
            rotations: strangers.iter().map(Payload::to_bytes).collect(),
            log_origin: origin.to_string(),
            log_vkey: NoteVerifier::new(origin, log).to_string(),
        }
    }

    /// What its keys say of a ledger that goes on from a backup.
    fn restored(&self) -> Signed {
        let (keys, log) = (&self.keys, LogId::new(now(), &mut OsRng));
        let successors = KeyPurpose::ALL.map(|it| (it, SigningKey::generate(&mut OsRng).public()));
        let size = TreeSize::new(1_000).unwrap();
        let next = keys.set.restored(log, &successors, size.next_leaf()).unwrap();
        let from = Checkpoint { origin: keys.set.origin(), size, root: EMPTY_ROOT };
        let previous = Digest::of(&keys.set.to_bytes());
        let rotation = KeyRotation { previous, keys: next, restored: Some(from) };
        rotation.signed([&keys.capability, &keys.activation, &keys.checkpoint, &keys.rebind])
    }

    fn instance(&self, id: &InstanceId) -> Result<v1::Instance, Status> {
        let state = self.state();
        let unknown = || status(&Refusal::new("IDN-010", Reason::InstanceUnknown, ""));
        let asked = match self.lying(Lie::StatementOfAnother) {
            false => state.instance(id),
            true => state.instances().find(|(other, _)| *other != id).map(|(_, instance)| instance),
        };
        let instance = asked.ok_or_else(unknown)?;
        let mut statement = instance.statement.clone();
        if self.lying(Lie::StatementWithOtherKey) {
            statement.key = SigningKey::generate(&mut OsRng).public();
        }
        Ok(told(&statement, instance.leaf.get()))
    }
}

fn told(statement: &InstanceStatement, leaf: u64) -> v1::Instance {
    v1::Instance { statement: statement.to_bytes(), leaf, standing: "live".into() }
}

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for Services {
    async fn join(&self, request: Request<v1::JoinRequest>) -> Result<Response<v1::JoinResponse>, Status> {
        let (broker, request) = (self.broker()?, request.into_inner());
        let join = Signed::from_bytes(&request.join).map_err(malformed)?;
        let claimed: JoinStatement = join.peek_unverified().map_err(malformed)?;
        let attested = Attested {
            attestor: request.attestor.parse().map_err(malformed)?,
            evidence: Digest::of(&request.evidence),
            spki: SpkiHash::from_bytes(Digest::of(&request.spki).to_array()),
        };
        broker.decide(|state, context| state.decide_join(context, &join, &attested))?;
        broker.spkis.lock().unwrap().insert(claimed.instance.clone(), request.spki.clone());
        let certificate = Some(broker.certificate(&claimed.instance, &request.spki, 1));
        broker.reply(v1::JoinResponse { certificate, bundle: Some(broker.bundle()) })
    }
}

#[tonic::async_trait]
impl v1::identity_server::Identity for Services {
    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let renewal = Signed::from_bytes(&request.into_inner().renewal).map_err(malformed)?;
        let statement: RenewStatement = renewal.peek_unverified().map_err(malformed)?;
        let events = broker.decide(|state, context| state.decide_renew(context, &actor, &renewal))?;
        if matches!(events.as_slice(), [Event::InstanceForked(_)]) {
            return Err(status(&Refusal::new("IDN-033", Reason::InstanceForked, "")));
        }
        if broker.lying(Lie::RenewalSaidTooLate) {
            return Err(status(&Refusal::new("TIM-005", Reason::StatementStale, "")));
        }
        let spki = broker.spkis.lock().unwrap()[&statement.instance].clone();
        let generation = broker.state().instance(&statement.instance).unwrap().statement.generation;
        let certificate = Some(broker.certificate(&statement.instance, &spki, generation));
        broker.reply(v1::RenewResponse { certificate })
    }

    async fn get_bundle(
        &self,
        request: Request<v1::GetBundleRequest>,
    ) -> Result<Response<v1::GetBundleResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        broker.reply(v1::GetBundleResponse { bundle: Some(broker.bundle()) })
    }

    async fn create_join_token(
        &self,
        request: Request<v1::CreateJoinTokenRequest>,
    ) -> Result<Response<v1::CreateJoinTokenResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let request = request.into_inner();
        let secret = JoinSecret::generate(&mut OsRng);
        let who = request.principal.parse().map_err(malformed)?;
        let expires = now().plus(Lifetime::from_millis(request.lifetime_ms));
        let digest = secret.digest();
        broker
            .decide(|state, context| state.decide_join_token(context, Some(&actor), digest, &who, expires))?;
        let mut token = broker.token(who, secret);
        if broker.lying(Lie::JoinTokenForOtherAuthority) {
            token.authority = Digest::of(b"another authority");
        }
        let join_token = token.to_text().to_string();
        broker.reply(v1::CreateJoinTokenResponse { join_token, expires_ms: expires.as_millis() })
    }

    async fn get_instance(
        &self,
        request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let id = request.into_inner().instance.parse().map_err(malformed)?;
        let instance = Some(broker.instance(&id)?);
        Ok(Response::new(v1::GetInstanceResponse { instance }))
    }

    /// One instance on each page.
    async fn list_instances(
        &self,
        request: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let place: usize = request.into_inner().page_token.parse().unwrap_or(0);
        let state = broker.state();
        let instances: Vec<_> = state.instances().map(|(_, instance)| instance).collect();
        let next = place + 1;
        Ok(Response::new(v1::ListInstancesResponse {
            instances: vec![told(&instances[place].statement, instances[place].leaf.get())],
            next_page_token: if next < instances.len() { next.to_string() } else { String::new() },
        }))
    }
}

#[tonic::async_trait]
impl v1::info_server::Info for Services {
    async fn get_info(
        &self,
        request: Request<v1::GetInfoRequest>,
    ) -> Result<Response<v1::GetInfoResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        assert_ne!(*actor.instance.principal(), principal("broker"));
        let v1::Bundle { key_set, log_origin, log_vkey, .. } = broker.bundle();
        Ok(Response::new(v1::GetInfoResponse {
            spec_versions: vec!["0.1".into()],
            implementation_name: "fake".into(),
            implementation_version: "1".into(),
            server_time_ms: now().as_millis(),
            server_time_uncertainty_ms: 10,
            limits: vec![v1::Limit { name: "CHAIN_MAX_DEPTH".into(), value: 16 }],
            log_origin,
            log_vkey,
            key_set,
            proof_retention_ms: 60_000,
            result_retention_ms: 600_000,
            features: Vec::new(),
        }))
    }
}
