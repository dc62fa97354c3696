//! The ledger and its proofs.

use countersign_protocol::{
    domain::{Actor, State},
    explain,
    key::SigningKey,
    ledger::{
        Checkpoint, ConsistencyProof, InclusionProof, LeafIndex, Origin, SignedCheckpoint, Tree, TreeSize,
        leaf_hash,
    },
    payload::Payload,
};
use countersign_wire::v1;
use rand_core::OsRng;
use tonic::{Request, Response, Status};

use super::{Lie, Services, Shared, domain, malformed, status};

impl Shared {
    fn told_checkpoint(&self, actor: &Actor, state: &State) -> SignedCheckpoint {
        let sign = |size, root, key: &SigningKey| {
            SignedCheckpoint::sign(&Checkpoint { origin: Origin::of(&domain()), size, root }, key)
        };
        let tree = state.tree();
        let own = &self.keys.checkpoint;
        if self.lying_to(actor, Lie::CheckpointForged) {
            return sign(tree.size(), tree.root(), &SigningKey::generate(&mut OsRng));
        }
        if self.lying_to(actor, Lie::RootReplaced) {
            return sign(tree.size(), leaf_hash(b"another root"), own);
        }
        if self.lying_to(actor, Lie::RolledBack) {
            let size = TreeSize::new(tree.size().get() - 1).unwrap();
            return sign(size, tree.root_at(size).unwrap(), own);
        }
        if self.lying_to(actor, Lie::SplitView) {
            let split = split(tree.size());
            return sign(split.size(), split.root(), own);
        }
        if self.lying_to(actor, Lie::CheckpointCrowded) {
            let others =
                (0..24).map(|number| format!("— witness.example/{number} {}\n", "AAAA".repeat(1_250)));
            let crowded = format!("{}{}", self.checkpoint(state), others.collect::<String>());
            return crowded.parse().unwrap();
        }
        self.checkpoint(state)
    }
}

/// A ledger that is one entry larger, and another one from its beginning.
fn split(size: TreeSize) -> Tree {
    let mut tree = Tree::default();
    (0..=size.get()).for_each(|entry| tree.push(leaf_hash(format!("another {entry}").as_bytes())));
    tree
}

fn size(number: u64) -> TreeSize {
    TreeSize::new(number).unwrap()
}

#[tonic::async_trait]
impl v1::ledger_server::Ledger for Services {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let checkpoint = broker.told_checkpoint(&actor, &broker.state()).to_string();
        Ok(Response::new(v1::GetCheckpointResponse { checkpoint }))
    }

    /// Two entries on each page.
    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let first = request.into_inner().first_leaf as usize;
        let entries: Vec<_> = broker.entries.lock().unwrap().iter().skip(first).take(2).cloned().collect();
        let next_leaf = (first + entries.len()) as u64;
        Ok(Response::new(v1::ListEntriesResponse { entries, next_leaf }))
    }

    async fn prove_inclusion(
        &self,
        request: Request<v1::ProveInclusionRequest>,
    ) -> Result<Response<v1::ProveInclusionResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let request = request.into_inner();
        let (index, size) = (LeafIndex::new(request.leaf).unwrap(), size(request.size));
        let path = match broker.lying(Lie::ContractNotLogged) {
            false => broker.state().tree().inclusion(index, size),
            true => split(TreeSize::new(size.get() - 1).unwrap()).inclusion(index, size),
        };
        let path = path.ok_or_else(|| malformed("range"))?;
        let proof = InclusionProof { index, size, path }.to_bytes();
        Ok(Response::new(v1::ProveInclusionResponse { proof }))
    }

    async fn prove_consistency(
        &self,
        request: Request<v1::ProveConsistencyRequest>,
    ) -> Result<Response<v1::ProveConsistencyResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let request = request.into_inner();
        let (old, new) = (size(request.old_size), size(request.new_size));
        let path = match broker.lying_to(&actor, Lie::SplitView) {
            false => broker.state().tree().consistency(old, new),
            true => split(size(request.new_size - 1)).consistency(old, new),
        };
        let path = path.ok_or_else(|| malformed("range"))?;
        let proof = ConsistencyProof { old, new, path }.to_bytes();
        Ok(Response::new(v1::ProveConsistencyResponse { proof }))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let mut id = request.into_inner().invocation_id.parse().map_err(malformed)?;
        let state = broker.state();
        if broker.lying(Lie::EvidenceOfAnother) {
            id = broker.other_invocation(id);
        }
        let leaves = explain::leaves(&state, id).map_err(|refusal| status(&refusal))?;
        let entries = broker.entries.lock().unwrap();
        let entries = leaves.into_iter().map(|leaf| (leaf, entries[leaf.get() as usize].clone())).collect();
        let chain = state.invocation(&id).unwrap().chain;
        let (checkpoint, activation) = (broker.checkpoint(&state), broker.activation(&state, chain));
        let bundle = explain::assemble(&state, id, checkpoint, entries, activation, None);
        let mut bundle = bundle.map_err(|refusal| status(&refusal))?.to_bytes();
        if broker.lying(Lie::EvidenceAltered) {
            let middle = bundle.len() / 2;
            bundle[middle] ^= 1;
        }
        Ok(Response::new(v1::ExplainResponse { bundle }))
    }
}
