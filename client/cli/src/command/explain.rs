//! `countersign explain`

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::id::InvocationId;

use crate::{context::Context, evidence, exit::Exit, failure::Failure, output_file, view::ExplanationView};

/// Show why an invocation was allowed, by whom, and what came of it.
///
/// The evidence is verified before it is shown. For the parties of the chain and for admins. Why something
/// was refused is asked with countersign can.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The invocation.
    #[arg(value_name = "INVOCATION")]
    invocation: InvocationId,
    /// Also write the evidence to this new file, for countersign verify.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

impl Explain {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let Self { invocation, bundle } = self;
        let view = context
            .as_person(async |agent, terminal| {
                let bytes = agent.explain(invocation).await;
                let bytes = bytes.map_err(|error| unexplained(invocation, &error))?;
                let explanation = evidence::verify(&bytes, &agent.keys())?;
                if let Some(path) = &bundle {
                    output_file::write(path, &bytes)?;
                    let path = path.display();
                    terminal
                        .say(&format!("To check it again: countersign verify {path} --offline --keys FILE"));
                }
                Ok(ExplanationView::from(&explanation))
            })
            .await?;
        context.terminal.show(&view)
    }
}

fn unexplained(invocation: InvocationId, error: &countersign::Error) -> Failure {
    let failure = Failure::sdk(format!("{invocation} is not explained"), error);
    if failure.exit != Exit::NotFound {
        return failure;
    }
    let next =
        "Check the id. If it was refused: countersign can CHAIN ACTION RESOURCE --at CALLEE tells why.";
    Failure { next: next.into(), ..failure }
}
