//! What a caller is told of a refusal: the one place where refusals become gRPC statuses.

use std::{collections::HashMap, error::Error as _, sync::Arc, time::Duration};

use countersign_protocol::refusal::{Reason, Refusal, Retry, Viewer};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `google.rpc.ErrorInfo` that is sent.
pub const ERROR_DOMAIN: &str = "countersign.v1";

/// When to come again, where the same call may succeed later.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// A refusal as that viewer may know it: the sentence as the message, and an `ErrorInfo` with the
/// reason and a hint; for an operator also with the number of the rule.
pub fn status(refusal: &Refusal, viewer: Viewer) -> Status {
    let view = refusal.view(viewer);
    let mut metadata = HashMap::from([("hint".to_owned(), view.hint.to_owned())]);
    if !view.rule.is_empty() {
        metadata.insert("rule".to_owned(), view.rule.to_owned());
    }
    let mut details = ErrorDetails::with_error_info(view.reason.name(), ERROR_DOMAIN, metadata);
    if view.reason.retry() == Retry::Later {
        details.set_retry_info(Some(RETRY_DELAY));
    }
    let mut status = Status::with_error_details(code(view.reason), view.message, details);
    status.set_source(Arc::new(refusal.clone()));
    status
}

/// What a status was made of: for whoever counts, and never on the wire.
pub(crate) fn refusal(status: &Status) -> Option<&Refusal> {
    status.source()?.downcast_ref()
}

fn code(reason: Reason) -> Code {
    Code::from(reason.grpc_code())
}
