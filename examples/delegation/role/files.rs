//! The service: it reads real files of this repository, after it has verified for itself who asks,
//! under which chain, and for what.

use std::path::{Path, PathBuf};

use countersign::{Invocation, Outcome};
use countersign_protocol::{
    capability::{Amount, ResourceName, Value},
    receipt::ActionOutcome,
};

use crate::{scope::MAX_BYTES, script::note};

pub(crate) async fn read(invocation: Invocation) -> Outcome {
    let grant = invocation.chain.token().grant();
    let caller = invocation.chain.token().leaf().holder.instance.principal();
    let (action, resource) = (&invocation.request.action, &invocation.request.resource);
    note(format!("{action} {resource} for {}, on behalf of {}", caller.short(), grant.originator.short()));
    let limit = match MAX_BYTES.parse().ok().and_then(|name| invocation.request.arguments.get(&name).cloned())
    {
        Some(Value::Int(limit)) => usize::try_from(limit).unwrap_or_default(),
        _ => 0,
    };
    let (outcome, mut body) = match std::fs::read(path(resource)) {
        Ok(content) => (ActionOutcome::Done, content),
        Err(error) => (ActionOutcome::Failed, error.to_string().into_bytes()),
    };
    body.truncate(limit);
    Outcome { body, outcome, cost: Amount::new(1).unwrap_or_default() }
}

/// `file:/spec/limits.md` is that file of this repository. A resource name has no `..` and no other
/// second spelling, so it cannot lead out.
fn path(resource: &ResourceName) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    resource.segments().fold(root, |path, segment| path.join(segment))
}
