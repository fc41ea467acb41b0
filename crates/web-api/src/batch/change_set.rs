//! A change set: its requests are read, then all they change is changed in one transaction, then all are answered.

use custodia_org::Error;
use custodia_query::RowKey;
use custodia_query::odata::parse_resource;
use custodia_schema::Schema;
use http::Method;

use super::multipart::{Part, parts};
use super::reply::PartReply;
use super::{Batch, Inner, OPERATIONS_MAX, content_id, no_memory, take};
use crate::call::{Call, Earlier};
use crate::failure::Failure;
use crate::prepared::{Answering, PreparedWrite};
use crate::routes;

/// Why nothing of a change set was done, and the name of the request at which it failed.
type Failed = (Failure, Option<String>);

impl Batch<'_> {
    /// Does the requests of a change set, all or none.
    pub(super) async fn change_set(
        &self,
        part: &Part,
        boundary: &str,
        left: &mut usize,
    ) -> Result<Vec<PartReply>, Failed> {
        let whole = |failure: Failure| (failure, content_id(&part.headers));
        let parts = parts(&part.content, boundary, OPERATIONS_MAX).map_err(whole)?;
        self.outer.memory.has_room().map_err(|why| whole(no_memory(why)))?;
        let mut earlier: Vec<Earlier> = Vec::new();
        let mut requests: Vec<(Inner, Answering)> = Vec::with_capacity(parts.len());
        let mut changes = Vec::with_capacity(parts.len());
        for part in &parts {
            let named = |failure: Failure| (failure, content_id(&part.headers));
            take(left).map_err(named)?;
            let inner = self.inner(part, &earlier).await.map_err(named)?;
            let (write, known) = self.prepare(&inner, &earlier).await.map_err(named)?;
            earlier.extend(known);
            changes.push((inner.caller.clone(), write.change));
            requests.push((inner, write.answering));
        }
        let done = match self.organization.change_all(changes).await {
            Ok(done) => done,
            Err(error) => return Err(refused(&self.organization.schema(), &requests, error)),
        };
        let mut replies = Vec::with_capacity(requests.len());
        let mut told = 0;
        for ((inner, answering), changed) in requests.into_iter().zip(done) {
            let request = inner.request(self.outer);
            let is_full = told >= self.outer.limits.answer_bytes_max;
            let answering = if is_full { answering.without_record() } else { answering };
            let answered = async {
                let call = Call::read(self.organization, &inner.caller, &request)?;
                answering.answer(&call, changed).await
            };
            // It is done, whatever becomes of telling so.
            let response = routes::whole(answered.await, self.organization, &inner.caller);
            told += response.body().len();
            replies.push(PartReply::of(response, inner.content_id.clone()));
        }
        Ok(replies)
    }

    /// Reads one request, and what later ones may call its record.
    async fn prepare(&self, inner: &Inner, earlier: &[Earlier]) -> Result<(PreparedWrite, Option<Earlier>), Failure> {
        if inner.method == Method::GET {
            return Err(Failure::invalid("a change set takes requests that change something, and no GET"));
        }
        let request = inner.request(self.outer);
        let call = Call { earlier, ..Call::read(self.organization, &inner.caller, &request)? };
        routes::check_version(&call)?;
        let resource = parse_resource(&call.schema, request.path, &call.options, request.limits)?;
        let Some(write) = routes::prepare(&call, &resource).await? else {
            let method = inner.method.as_str();
            return Err(Failure::invalid(format!("a change set cannot hold {method} {}", inner.path)));
        };
        let Some(content_id) = inner.content_id.clone() else { return Ok((write, None)) };
        if earlier.iter().any(|earlier| earlier.content_id == content_id) {
            return Err(Failure::invalid(format!("two requests of a change set have the Content-ID '{content_id}'")));
        }
        let known = match &write.record {
            None => None,
            Some(record) => {
                let path = match &record.key {
                    RowKey::Id(id) => format!("{}({id})", call.table(record.table)?.set_name),
                    RowKey::Alternate(_) => inner.path.clone(),
                };
                Some(Earlier { content_id, record: record.clone(), path })
            }
        };
        Ok((write, known))
    }
}

/// Which request the gate refused, and why.
fn refused(schema: &Schema, requests: &[(Inner, Answering)], error: Error) -> Failed {
    let (at, error) = match error {
        Error::Part { at, error } => (at, *error),
        // Whether the sender may do anything at all is asked before the first.
        error @ Error::Denied(_) => (0, error),
        // What comes to light only when all is stored is of the last: what came before it was run before it.
        other => (requests.len().saturating_sub(1), other),
    };
    match requests.get(at) {
        Some((inner, answering)) => (answering.refuse(schema, error), inner.content_id.clone()),
        None => (error.into(), None),
    }
}
