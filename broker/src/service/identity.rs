//! How instances stay, and how they and the admins see one another.

use std::sync::Arc;

use countersign_protocol::{
    domain::{Instance, Standing},
    name::{InstanceId, PrincipalId},
    payload::Payload,
    refusal::{Reason, Refusal},
    require_some,
    time::Lifetime,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{Issuer, caller::Caller, convert, page::Page};
use crate::{
    channel::{Peer, ProvenKey},
    domain::Domain,
    join_tokens::JoinTokens,
};

/// The service of that name.
#[derive(Debug)]
pub struct Identity {
    domain: Arc<Domain>,
    issuer: Issuer,
    join_tokens: JoinTokens,
}

impl Identity {
    /// The instances of that domain.
    pub fn new(domain: Arc<Domain>, issuer: Issuer, join_tokens: JoinTokens) -> Self {
        Self { domain, issuer, join_tokens }
    }

    async fn renew(
        &self,
        caller: &Caller,
        key: Option<ProvenKey>,
        request: v1::RenewRequest,
    ) -> Result<v1::RenewResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let key = require_some!("API-003", key, Reason::InstanceUnknown);
        let renewal = convert::signed(&request.renewal)?;
        let record = self.domain.decide(
            |state, context| state.decide_renew(context, caller.actor(), &renewal),
            // A fork that this very call disclosed is found here.
            |state| state.admitted(caller.actor()).map(|instance| instance.statement.clone()),
        );
        let certificate = self.issuer.certificate(&record.await?, &key)?;
        Ok(v1::RenewResponse { certificate: Some(certificate) })
    }

    async fn bundle(&self, request: v1::GetBundleRequest) -> Result<v1::GetBundleResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        Ok(v1::GetBundleResponse { bundle: Some(self.issuer.bundle().await?) })
    }

    async fn create_join_token(
        &self,
        caller: &Caller,
        request: v1::CreateJoinTokenRequest,
    ) -> Result<v1::CreateJoinTokenResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        // Before anything is said of what was asked for.
        caller.check_admin()?;
        let principal: PrincipalId = parse(&request.principal)?;
        let lifetime = Lifetime::from_millis(request.lifetime_ms);
        let issued = self.join_tokens.issue(&self.domain, Some(caller.actor()), &principal, lifetime);
        let (token, expires) = issued.await?;
        Ok(v1::CreateJoinTokenResponse {
            join_token: token.to_text().to_string(),
            expires_ms: expires.as_millis(),
        })
    }

    async fn get(&self, request: v1::GetInstanceRequest) -> Result<v1::GetInstanceResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let id: InstanceId = parse(&request.instance)?;
        let found = self
            .domain
            .read(|state, _| Ok(wire(require_some!("IDN-044", state.instance(&id), Reason::NotFound))));
        Ok(v1::GetInstanceResponse { instance: Some(found.await?) })
    }

    async fn list(
        &self,
        caller: &Caller,
        request: v1::ListInstancesRequest,
    ) -> Result<v1::ListInstancesResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        caller.check_admin()?;
        let listing: [&[u8]; 2] = [b"instances", caller.instance().as_str().as_bytes()];
        let page: Page<InstanceId> = Page::of(&listing, request.page_size, &request.page_token)?;
        let listed = self.domain.read(|state, _| {
            let items = state.instances_after(page.after()).map(|(id, instance)| (id.clone(), instance));
            Ok(page.fill(items, |_, instance| Some(wire(instance))))
        });
        let (instances, next_page_token) = listed.await?;
        Ok(v1::ListInstancesResponse { instances, next_page_token })
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> Result<T, Refusal> {
    name.parse().map_err(|error| Refusal::new("IDN-002", Reason::NameNotNormal, format!("{error}.")))
}

fn wire(instance: &Instance) -> v1::Instance {
    let standing = match instance.standing {
        Standing::Live => "live",
        Standing::Revoked => "revoked",
        Standing::Forked => "forked",
    };
    v1::Instance {
        statement: instance.statement.to_bytes(),
        leaf: instance.leaf.get(),
        standing: standing.to_owned(),
    }
}

#[tonic::async_trait]
impl v1::identity_server::Identity for Identity {
    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?.author();
        let key = request.extensions().get::<Peer>().map(|peer| peer.key.clone());
        caller.reply(self.renew(&caller, key, request.into_inner()).await)
    }

    async fn get_bundle(
        &self,
        request: Request<v1::GetBundleRequest>,
    ) -> Result<Response<v1::GetBundleResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?.author();
        caller.reply(self.bundle(request.into_inner()).await)
    }

    async fn create_join_token(
        &self,
        request: Request<v1::CreateJoinTokenRequest>,
    ) -> Result<Response<v1::CreateJoinTokenResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.create_join_token(&caller, request.into_inner()).await)
    }

    async fn get_instance(
        &self,
        request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.get(request.into_inner()).await)
    }

    async fn list_instances(
        &self,
        request: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.list(&caller, request.into_inner()).await)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{
        capability::Text, digest::Digest, extension::Extensions, id::InstanceUuid, identity::RenewStatement,
        signed::Statement,
    };

    use super::{
        super::issuer::tests::{issuer, proven},
        *,
    };
    use crate::mediation::tests::world::{World, domain_name, principal};

    fn service(world: &World) -> Identity {
        let nowhere: Text = "https://127.0.0.1:1".parse().unwrap();
        let tokens =
            JoinTokens { enrolment: nowhere.clone(), broker: nowhere, authority: Digest::of(b"authority") };
        Identity::new(
            Arc::clone(&world.domain),
            issuer(&world.domain, Lifetime::from_millis(600_000)),
            tokens,
        )
    }

    /// Attack line 35: a caller whose channel showed no key is certified for none.
    #[tokio::test]
    async fn without_a_credential_nothing_is_renewed() {
        let mut world = World::new().await;
        let key = proven();
        world.join_with("reader", "researcher", key.spki_hash()).await;
        let reader = world.agent("reader");
        let renewal = RenewStatement {
            domain: domain_name(),
            instance: reader.id.clone(),
            generation: 1,
            spki: reader.spki,
            configuration: countersign_forge::configuration(),
            issued: world.now(),
            extensions: Extensions::none(),
        };
        let message = v1::RenewRequest {
            trust_domain: domain_name().to_string(),
            renewal: renewal.sign(&reader.key).to_bytes(),
        };
        let mut request = Request::new(());
        request.extensions_mut().insert(reader.actor());
        let caller = Caller::of(&request, &world.domain).unwrap();
        let renew = async |key: Option<ProvenKey>| {
            let renewed = service(&world).renew(&caller, key, message.clone()).await;
            renewed.map(drop).map_err(|refusal| (refusal.rule(), refusal.reason()))
        };
        assert_eq!(renew(None).await, Err(("API-003", Reason::InstanceUnknown)));
        assert_eq!(renew(Some(key)).await, Ok(()), "the twin");
    }

    #[tokio::test]
    async fn an_instance_that_never_was_is_not_found() {
        let world = World::new().await;
        let get = async |id: InstanceId| {
            let request =
                v1::GetInstanceRequest { trust_domain: domain_name().to_string(), instance: id.to_string() };
            let found = service(&world).get(request).await;
            found.map(drop).map_err(|refusal| (refusal.rule(), refusal.reason()))
        };
        let absent = world.say(|stage| InstanceUuid::new(stage.now, stage.rng));
        assert_eq!(get(principal("planner").instance(absent)).await, Err(("IDN-044", Reason::NotFound)));
        assert_eq!(get(world.agent("planner").id.clone()).await, Ok(()), "the twin");
    }
}
