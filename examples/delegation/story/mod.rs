//! The story, chapter by chapter. Everything in it happens in other processes; here it is directed
//! and checked.

mod afterwards;
mod attacks;
mod beginning;
mod delegation;

use std::time::Instant;

use tempfile::TempDir;

use crate::{page, process::Process, script::Outcome};

/// Who and what there is.
struct Cast {
    /// The directory of everything that the story writes.
    directory: TempDir,
    broker: Process,
    olivia: Process,
    alice: Process,
    planner: Process,
    researcher: Process,
    fetcher: Process,
    sorter: Process,
    files: Process,
    mallory: Process,
    /// The instance of the planner, whom alice grants her right to.
    planner_instance: String,
}

/// The chains that the story is about.
struct Chains {
    researcher: String,
    fetcher: String,
}

pub(crate) async fn tell() -> Outcome<()> {
    let began = Instant::now();
    let mut cast = beginning::start().await?;
    let grant = delegation::grant(&mut cast).await?;
    let chains = delegation::negotiate(&mut cast, grant).await?;
    let invocation = delegation::read(&mut cast, &chains).await?;
    attacks::all(&mut cast, &chains).await?;
    afterwards::revoke(&mut cast, &chains).await?;
    let evidence = afterwards::explain(&mut cast, &invocation).await?;
    let directory = cast.stop().await?;
    afterwards::audit(&directory, &evidence).await?;
    page::good(format!("all of it in {:.1} s; everything went as told", began.elapsed().as_secs_f32()));
    Ok(())
}

impl Cast {
    /// Ends every process, the broker last, and leaves what was written.
    async fn stop(self) -> Outcome<TempDir> {
        for process in [
            self.mallory,
            self.sorter,
            self.fetcher,
            self.researcher,
            self.planner,
            self.alice,
            self.olivia,
            self.files,
            self.broker,
        ] {
            process.end().await?;
        }
        Ok(self.directory)
    }
}
