//! The demonstration is filled, with the numbers that its data has.

use std::sync::Mutex;

use custodia_process::demo::{DemoReport, PasswordError, PasswordSetter, fill_demo, fill_demo2};
use custodia_process::import::{Advance, Counts};
use custodia_schema::Guid;
use futures::future::BoxFuture;

use crate::world::{Engine, World};

#[derive(Default)]
struct KeptPasswords(Mutex<Vec<(Guid, String)>>);

impl PasswordSetter for KeptPasswords {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(u8::try_from(self.0.lock().unwrap().len()).unwrap());
    }

    fn set<'a>(&'a self, user: Guid, password: &'a str) -> BoxFuture<'a, Result<(), PasswordError>> {
        self.0.lock().unwrap().push((user, password.to_owned()));
        Box::pin(async { Ok(()) })
    }
}

fn silent() -> impl FnMut(&Advance<'_>) + Send {
    |_: &Advance<'_>| {}
}

async fn demo(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(engine, folder.path()).await;
    let passwords = KeptPasswords::default();
    let report = fill_demo(&world.organization, &world.admin(), &passwords, &mut silent()).await.unwrap();
    for (name, counts) in &report.counts {
        println!("{name}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_on_sqlite() {
    demo(Engine::Sqlite).await;
}
