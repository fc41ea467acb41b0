//! The kinds of requests: each made ready first, then run and counted.

use std::sync::mpsc;

use custodia_bench::work::{ACCOUNT_COLUMNS, CONTACT_COLUMNS};
use serde_json::{Value, json};

use crate::world::{Request, World, contact, grant, multiple};

/// Writers that meet in one batch.
const WRITERS: usize = 16;
/// Records of one CreateMultiple.
const MANY: usize = 100;
/// Reads and creations in one `$batch`: ten requests.
const BATCH_HALF: usize = 5;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ReadOne,
    List,
    ListFormatted,
    Expand,
    Create,
    SixteenWriters,
    Update,
    Delete,
    Upsert,
    Associate,
    Share,
    Batch,
    CreateMultiple,
    Apply,
    FetchAggregate,
    FetchLink,
    Metadata,
    TokenFirst,
    TokenAgain,
}

/// What is run and counted.
pub enum Ready {
    One(Request),
    /// Writers whose requests wait for one batch.
    Together(Vec<Request>),
    Token,
}

impl Kind {
    pub const ALL: [Self; 19] = [
        Self::ReadOne,
        Self::List,
        Self::ListFormatted,
        Self::Expand,
        Self::Create,
        Self::SixteenWriters,
        Self::Update,
        Self::Delete,
        Self::Upsert,
        Self::Associate,
        Self::Share,
        Self::Batch,
        Self::CreateMultiple,
        Self::Apply,
        Self::FetchAggregate,
        Self::FetchLink,
        Self::Metadata,
        Self::TokenFirst,
        Self::TokenAgain,
    ];

    /// What it is called in the file of counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOne => "W1-read-one",
            Self::List => "W2-list-50",
            Self::ListFormatted => "W2a-list-50-annotated",
            Self::Expand => "W3-list-50-expand",
            Self::Create => "W4-create",
            Self::SixteenWriters => "W4-create-16-writers",
            Self::Update => "W5-update-one-column",
            Self::Delete => "delete",
            Self::Upsert => "upsert",
            Self::Associate => "associate",
            Self::Share => "share",
            Self::Batch => "batch-of-10",
            Self::CreateMultiple => "create-multiple-100",
            Self::Apply => "W6-aggregate-apply",
            Self::FetchAggregate => "W6-aggregate-fetchxml",
            Self::FetchLink => "fetchxml-link",
            Self::Metadata => "metadata-one-table",
            Self::TokenFirst => "token-first",
            Self::TokenAgain => "token-again",
        }
    }

    /// The `number`th request of this kind; no two change the same record.
    pub async fn ready(self, world: &World, number: usize) -> Ready {
        let account = &world.accounts[number];
        let record = &world.contacts[number];
        let new = |at: usize| contact(10_000 + 1_000 * number + at, account);
        Ready::One(match self {
            Self::ReadOne => Request::get(&format!("accounts({account})?$select={ACCOUNT_COLUMNS}")),
            Self::List => Request::get(&list()),
            Self::ListFormatted => Request::new("GET", &list(), &[("prefer", "odata.include-annotations=\"*\"")], ""),
            Self::Expand => Request::get(&format!(
                "contacts?$select={CONTACT_COLUMNS}&$expand=parentcustomerid_account($select=name)\
                 &$filter=fullname ge 'Ada'&$orderby=fullname&$top=50"
            )),
            Self::Create => Request::post("contacts", &new(0)),
            Self::SixteenWriters => {
                return Ready::Together((0..WRITERS).map(|at| Request::post("contacts", &new(at))).collect());
            }
            Self::Update => {
                let body = json!({ "jobtitle": format!("Title {number}") });
                Request::new("PATCH", &format!("contacts({record})"), &[("if-match", "*")], &body.to_string())
            }
            Self::Delete => {
                let made = world.send(&multiple("contacts", "contact", vec![new(0)])).await;
                let made: Value = serde_json::from_slice(&made).unwrap();
                Request::new("DELETE", &format!("contacts({})", made["Ids"][0].as_str().unwrap()), &[], "")
            }
            Self::Upsert => {
                let id = world.organization.new_id();
                Request::new("PATCH", &format!("contacts({id})"), &[], &new(0).to_string())
            }
            Self::Associate => {
                let lead = json!({ "@odata.id": format!("leads({})", world.leads[number]) });
                Request::post(&format!("contacts({record})/contactleads_association/$ref"), &lead)
            }
            Self::Share => {
                let colleague = world.colleague.to_string();
                // Nothing depends on a contact, so that the share goes no further.
                Request::post("GrantAccess", &grant("contact", record, "systemuser", &colleague))
            }
            Self::Batch => batch(world, &new),
            Self::CreateMultiple => multiple("contacts", "contact", (0..MANY).map(new).collect()),
            Self::Apply => {
                Request::get("opportunities?$apply=groupby((salesstage),aggregate(estimatedvalue with sum as revenue))")
            }
            Self::FetchAggregate => fetch(
                "opportunities",
                "<fetch aggregate='true'><entity name='opportunity'>\
                 <attribute name='salesstage' alias='stage' groupby='true'/>\
                 <attribute name='estimatedvalue' alias='revenue' aggregate='sum'/></entity></fetch>",
            ),
            Self::FetchLink => fetch(
                "contacts",
                "<fetch top='50'><entity name='contact'><attribute name='fullname'/><order attribute='fullname'/>\
                 <link-entity name='account' from='accountid' to='parentcustomerid' link-type='inner' alias='a'>\
                 <attribute name='name'/></link-entity></entity></fetch>",
            ),
            Self::Metadata => Request::get("EntityDefinitions(LogicalName='account')?$expand=Attributes"),
            Self::TokenFirst => {
                world.tokens.forget();
                return Ready::Token;
            }
            Self::TokenAgain => {
                world.tokens.verify();
                return Ready::Token;
            }
        })
    }
}

impl Ready {
    pub async fn run(&self, world: &World) {
        match self {
            Self::One(request) => drop(world.send(request).await),
            Self::Together(requests) => together(world, requests).await,
            Self::Token => world.tokens.verify(),
        }
    }
}

/// Sends all requests so that they come into one batch. The tasks of one thread do on PostgreSQL anyway; on an embedded
/// database, whose writer is another thread, they wait behind a request that writes nothing. Its transaction, three
/// statements, is counted with them.
async fn together(world: &World, requests: &[Request]) {
    let database = world.organization.database();
    let sending = futures::future::join_all(requests.iter().map(|request| world.send(request)));
    if !world.is_embedded {
        sending.await;
        return;
    }
    let (started, has_started) = mpsc::channel::<()>();
    let (release, released) = mpsc::channel::<()>();
    let held = parking_lot::Mutex::new(Some((started, released)));
    let holding = database.write::<(), custodia_store::Error, _>(move |_| {
        let held = held.lock().take();
        Box::pin(async move {
            if let Some((started, released)) = held {
                started.send(()).unwrap();
                released.recv().unwrap();
            }
            Err(custodia_store::Error::Stale)
        })
    });
    let releasing = async {
        while database.writes_waiting() < requests.len() {
            tokio::task::yield_now().await;
        }
        release.send(()).unwrap();
    };
    let following = async {
        while has_started.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        futures::join!(sending, releasing)
    };
    let (held, _) = futures::join!(holding, following);
    assert!(held.is_err());
}

fn list() -> String {
    format!("accounts?$select={ACCOUNT_COLUMNS}&$filter=address1_city eq 'Ashford'&$orderby=name&$top=50")
}

fn fetch(set: &str, text: &str) -> Request {
    let escaped = text.replace('<', "%3C").replace('>', "%3E").replace('\'', "%27");
    Request::get(&format!("{set}?fetchXml={escaped}"))
}

/// Reads, then a change set of creations.
fn batch(world: &World, new: &dyn Fn(usize) -> Value) -> Request {
    let part = "--b\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\n\r\n";
    let mut body = String::new();
    for account in world.accounts.iter().take(BATCH_HALF) {
        body.push_str(&format!("{part}GET accounts({account})?$select={ACCOUNT_COLUMNS} HTTP/1.1\r\n\r\n\r\n"));
    }
    body.push_str("--b\r\ncontent-type: multipart/mixed; boundary=c\r\n\r\n");
    for at in 0..BATCH_HALF {
        body.push_str(&format!(
            "--c\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\ncontent-id: {}\r\n\r\n\
             POST contacts HTTP/1.1\r\ncontent-type: application/json\r\n\r\n{}\r\n",
            at + 1,
            new(at)
        ));
    }
    body.push_str("--c--\r\n--b--\r\n");
    Request::new("POST", "$batch", &[("content-type", "multipart/mixed; boundary=b")], &body)
}
