//! The ledger: the record of everything, and its proofs.

use std::{fmt, sync::Arc};

use countersign_protocol::{
    digest::Digest,
    ledger::{ConsistencyProof, InclusionProof},
    payload::Payload,
    refusal::{Reason, Refusal},
    require, require_some,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{caller::Caller, convert, entries, explanation::Evidence};
use crate::{
    activation::Activator,
    checkpoint::Checkpoints,
    domain::Domain,
    limits::{PAGE_BYTES, PAGE_DEFAULT, PAGE_MAX},
};

/// Finds the text of a policy that once decided, if it is still kept. May block.
pub type Policies = Arc<dyn Fn(Digest) -> Option<Vec<u8>> + Send + Sync>;

/// The service of that name.
///
/// How large the ledger is and which hashes it consists of is no secret from those in the domain;
/// what its entries say is for those whom they concern.
pub struct Ledger {
    domain: Arc<Domain>,
    checkpoints: Arc<Checkpoints>,
    activator: Arc<Activator>,
    policies: Policies,
}

impl Ledger {
    /// The ledger of that domain.
    pub fn new(
        domain: Arc<Domain>,
        checkpoints: Arc<Checkpoints>,
        activator: Arc<Activator>,
        policies: Policies,
    ) -> Self {
        Self { domain, checkpoints, activator, policies }
    }

    async fn checkpoint(
        &self,
        request: v1::GetCheckpointRequest,
    ) -> Result<v1::GetCheckpointResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let checkpoint = self.checkpoints.newest().await?.to_string();
        Ok(v1::GetCheckpointResponse { checkpoint })
    }

    async fn entries(
        &self,
        caller: &Caller,
        request: v1::ListEntriesRequest,
    ) -> Result<v1::ListEntriesResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        caller.check_admin()?;
        let first = convert::leaf(request.first_leaf)?;
        let count = match request.page_size as usize {
            0 => PAGE_DEFAULT,
            size => size.min(PAGE_MAX),
        };
        let end = self.domain.read(|state, _| Ok(state.tree().size().next_leaf())).await?;
        require!("LOG-063", first <= end, Reason::NotFound, "The ledger has {end} entries.");
        let end = first.plus(count as u64).unwrap_or(end).min(end);
        let entries = self.domain.store().read(self.domain.name(), first..end, PAGE_BYTES).await;
        let entries = entries.map_err(|error| entries::unreadable(first, &error.to_string()))?;
        let next_leaf = first.get() + entries.len() as u64;
        Ok(v1::ListEntriesResponse { entries: entries.into_iter().map(Into::into).collect(), next_leaf })
    }

    async fn inclusion(
        &self,
        request: v1::ProveInclusionRequest,
    ) -> Result<v1::ProveInclusionResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let (index, size) = (convert::leaf(request.leaf)?, convert::size(request.size)?);
        let path = self.domain.read(|state, _| {
            let path = state.tree().inclusion(index, size);
            let held = state.tree().size();
            Ok(require_some!("LOG-064", path, Reason::NotFound, "The ledger has {held} entries."))
        });
        let proof = InclusionProof { index, size, path: path.await? }.to_bytes();
        Ok(v1::ProveInclusionResponse { proof })
    }

    async fn consistency(
        &self,
        request: v1::ProveConsistencyRequest,
    ) -> Result<v1::ProveConsistencyResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let (old, new) = (convert::size(request.old_size)?, convert::size(request.new_size)?);
        let path = self.domain.read(|state, _| {
            let path = state.tree().consistency(old, new);
            let held = state.tree().size();
            Ok(require_some!("LOG-065", path, Reason::NotFound, "The ledger has {held} entries."))
        });
        let proof = ConsistencyProof { old, new, path: path.await? }.to_bytes();
        Ok(v1::ProveConsistencyResponse { proof })
    }

    async fn explain(
        &self,
        caller: &mut Caller,
        request: v1::ExplainRequest,
    ) -> Result<v1::ExplainResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let id = convert::text("invocation_id", &request.invocation_id)?;
        loop {
            let evidence = self.domain.read(|state, context| {
                caller.invocation(state, context, id)?;
                Evidence::about(state, id)
            });
            let gathered = evidence.await?.gather(&self.domain).await?;
            // Newer than everything that was gathered, so it holds it all.
            let checkpoint = self.checkpoints.newest().await?;
            let policy = self.policy(gathered.policy()).await;
            let activation = self.activator.sign(gathered.activation());
            let bundle =
                self.domain.read(|state, _| gathered.assemble(state, checkpoint, activation, policy));
            if let Some(bundle) = bundle.await? {
                return Ok(v1::ExplainResponse { bundle: bundle.to_bytes() });
            }
        }
    }

    async fn policy(&self, digest: Option<Digest>) -> Option<Vec<u8>> {
        let (policies, digest) = (Arc::clone(&self.policies), digest?);
        tokio::task::spawn_blocking(move || policies(digest)).await.ok().flatten()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("domain", &self.domain).finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl v1::ledger_server::Ledger for Ledger {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?.author();
        caller.reply(self.checkpoint(request.into_inner()).await)
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.entries(&caller, request.into_inner()).await)
    }

    async fn prove_inclusion(
        &self,
        request: Request<v1::ProveInclusionRequest>,
    ) -> Result<Response<v1::ProveInclusionResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?.author();
        caller.reply(self.inclusion(request.into_inner()).await)
    }

    async fn prove_consistency(
        &self,
        request: Request<v1::ProveConsistencyRequest>,
    ) -> Result<Response<v1::ProveConsistencyResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?.author();
        caller.reply(self.consistency(request.into_inner()).await)
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.explain(&mut caller, request.into_inner()).await;
        caller.reply(answer)
    }
}
