//! The yardstick: what a bare program takes for the same work. No authentication, no roles, no OData, no audit, no
//! encryption; prepared statements on the worker threads, rows written straight to JSON bytes (`custodia_bench::bare`).
//!
//! `custodia-yardstick FILE LISTEN` serves a file that `custodia_bench::yardstick_file` made, to the caller of the world.

#![expect(clippy::disallowed_methods, reason = "a program of its own: it reads its arguments and makes ids")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::serve::ListenerExt;
use custodia_bench::bare::Prepared;
use custodia_bench::statements::{ACCOUNT, ACCOUNTS, CONTACTS, STAGES, UPDATE_TITLE};
use custodia_bench::world::{Kind, id};
use custodia_bench::yardstick_file::{NewContact, connect, insert_contact};
use custodia_sqlite::Access;
use custodia_sqlite::rusqlite::{Connection, params, types::ToSql};
use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static FILE: OnceLock<PathBuf> = OnceLock::new();
static WRITER: OnceLock<Mutex<Connection>> = OnceLock::new();

thread_local! {
    static READER: RefCell<Option<[Prepared<'static>; 4]>> = const { RefCell::new(None) };
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: custodia-yardstick FILE LISTEN";
    let file = PathBuf::from(arguments.next().context(usage)?);
    let writer = Mutex::new(connect(&file, Access::Write)?);
    WRITER.set(writer).ok().context("the writer is opened once")?;
    FILE.set(file).ok().context("the file is named once")?;
    let routes = Router::new()
        .route("/nothing", get(async || answer(b"{}".to_vec())))
        .route("/accounts/{id}", get(async |Path(id): Path<Uuid>| read(0, id.as_bytes(), false)))
        .route("/accounts/city/{city}", get(async |Path(city): Path<String>| read(1, &city, true)))
        .route("/contacts/from/{start}", get(async |Path(start): Path<String>| read(2, &start, true)))
        .route("/opportunities/stages", get(async || read(3, &"", true)))
        .route("/contacts", post(create_contact))
        .route("/contacts/many", post(create_contacts))
        .route("/contacts/{id}", patch(change_title));
    let listener = tokio::net::TcpListener::bind(arguments.next().context(usage)?).await?;
    println!("ready http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    Ok(axum::serve(listener, routes).await?)
}

fn answer(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn failed(error: &anyhow::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response()
}

/// Answers with the rows of a statement, on this worker's own connection.
fn read(statement: usize, key: &dyn ToSql, is_list: bool) -> Response {
    let written = READER.with_borrow_mut(|reader| {
        let statements = match reader {
            Some(statements) => statements,
            None => reader.insert(prepare()?),
        };
        let mut body = Vec::with_capacity(if is_list { 32 * 1024 } else { 1024 });
        body.extend_from_slice(if is_list { b"{\"value\":[" } else { b"" });
        let statement = statements.get_mut(statement).context("a statement for each route")?;
        let rows = statement.rows(key, &id(Kind::User, 0), &mut body)?;
        body.extend_from_slice(if is_list { b"]}" } else { b"" });
        Ok((rows, body))
    });
    match written {
        Ok((0, _)) if !is_list => StatusCode::NOT_FOUND.into_response(),
        Ok((_, body)) => answer(body),
        Err(error) => failed(&error),
    }
}

fn prepare() -> Result<[Prepared<'static>; 4]> {
    let connection = Box::leak(Box::new(connect(FILE.get().context("the file is named")?, Access::Write)?));
    let new = |sql| Prepared::new(connection, sql);
    Ok([new(ACCOUNT)?, new(ACCOUNTS)?, new(CONTACTS)?, new(STAGES)?])
}

fn writer() -> Result<MutexGuard<'static, Connection>> {
    Ok(WRITER.get().context("the writer is open")?.lock())
}

/// W4: one statement is one transaction; it returns when the flush is through.
async fn create_contact(body: Bytes) -> Response {
    let created = || {
        let new = serde_json::from_slice(&body)?;
        let writer = writer()?;
        insert(&writer, &new)
    };
    let located = |id| (StatusCode::NO_CONTENT, [(LOCATION, format!("/contacts/{id}"))]).into_response();
    created().map_or_else(|error| failed(&error), located)
}

/// W7: many statements, one transaction.
async fn create_contacts(body: Bytes) -> Response {
    let created = || {
        let contacts: Vec<NewContact<'_>> = serde_json::from_slice(&body)?;
        let mut writer = writer()?;
        let transaction = writer.transaction()?;
        for new in &contacts {
            insert(&transaction, new)?;
        }
        anyhow::Ok(transaction.commit()?)
    };
    created().map_or_else(|error| failed(&error), |()| answer(b"{}".to_vec()))
}

/// W5: the body is the new title.
async fn change_title(Path(id): Path<Uuid>, title: String) -> Response {
    let owner = crate::id(Kind::User, 0);
    let values = params![id.as_bytes(), title, owner.as_bytes()];
    let changed = writer().and_then(|writer| Ok(writer.prepare_cached(UPDATE_TITLE)?.execute(values)?));
    let status = |changed| if changed == 1 { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND };
    changed.map_or_else(|error| failed(&error), |changed| status(changed).into_response())
}

fn insert(connection: &Connection, new: &NewContact<'_>) -> Result<Uuid> {
    let created = Uuid::now_v7();
    insert_contact(connection, &created, &id(Kind::User, 0), new)?;
    Ok(created)
}
