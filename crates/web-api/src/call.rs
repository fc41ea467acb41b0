//! One request at work: what was asked, read once, and what every step needs of it.

use std::sync::Arc;

use aws_lc_rs::hmac;
use bytes::Bytes;
use custodia_org::{Caller, Organization, Reference};
use custodia_query::Query;
use custodia_query::fetchxml::{GroupColumn, RowsQuestion};
use custodia_query::odata::{Limits, Shape, SkipTokenBinding, query_options};
use custodia_query::operator::Asker;
use custodia_schema::{Guid, Schema, Table, TableId};
use http::{HeaderMap, Method};

use crate::failure::Failure;
use crate::fetch::check_whole_queries;
use crate::formatted::Formats;
use crate::json;
use crate::kept::KeptQuestions;
use crate::media::{Media, MetadataLevel};
use crate::memory::AnswerMemory;
use crate::prefer::Preferences;
use crate::rows::{NamedAt, Planning, RowPlan};
use crate::time_zone::clock;
use crate::turns::Turns;
use crate::withhold::OPTION_AREA;

/// A request for one organisation, as the server received it.
#[derive(Clone)]
pub struct ApiRequest<'r> {
    /// The method.
    pub method: &'r Method,
    /// The path below the service root, as received: percent-encoded, with or without a slash at its beginning.
    pub path: &'r str,
    /// The query string, as received, without its `?`; empty when there is none.
    pub query: &'r str,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// The body, whole; its length was limited where it was read.
    pub body: Bytes,
    /// The service root as the client used it, with a slash at its end: `https://host/org/api/data/v9.2/`. Every
    /// address in the answer begins with it.
    pub service_root: &'r str,
    /// How much one request may ask for.
    pub limits: &'r Limits,
    /// The key that links to further pages are sealed with. Where it is the same after a restart, they keep working.
    pub page_token_key: &'r [u8; 32],
    /// What was worked out for requests before, under the same limits.
    pub questions: &'r KeptQuestions,
    /// Whose turn it is, for the requests within this one.
    pub turns: &'r dyn Turns,
    /// The memory for the answer.
    pub memory: &'r dyn AnswerMemory,
}

/// A record that an earlier request of the same change set is about.
pub(crate) struct Earlier {
    /// What later requests call it, after a `$`.
    pub content_id: String,
    /// The record.
    pub record: Reference,
    /// Its address below the service root.
    pub path: String,
}

/// One request at work.
pub(crate) struct Call<'r> {
    pub organization: &'r Organization,
    pub caller: &'r Caller,
    pub request: &'r ApiRequest<'r>,
    pub schema: Arc<Schema>,
    /// Query options, decoded.
    pub options: Vec<(String, String)>,
    pub preferences: Preferences,
    pub media: Media,
    /// What earlier requests of the same change set are about; empty outside of one.
    pub earlier: &'r [Earlier],
}

impl<'r> Call<'r> {
    /// Reads what every kind of request has.
    pub(crate) fn read(
        organization: &'r Organization,
        caller: &'r Caller,
        request: &'r ApiRequest<'r>,
    ) -> Result<Self, Failure> {
        let options = query_options(request.query, request.limits)?;
        if let Some((name, _)) = options.iter().find(|(name, _)| request.limits.withheld.has(OPTION_AREA, name)) {
            return Err(Failure::invalid(format!("this service has no option '{name}'")));
        }
        check_whole_queries(&options)?;
        Ok(Self {
            organization,
            caller,
            request,
            schema: organization.schema(),
            options,
            preferences: Preferences::read(request.headers, request.limits)?,
            media: Media::accepted(request.headers),
            earlier: &[],
        })
    }

    /// The table of that number.
    pub(crate) fn table(&self, id: TableId) -> Result<&Arc<Table>, Failure> {
        self.schema.table(id).ok_or_else(|| Failure::no_such_resource(&id.to_string()))
    }

    /// The address of a record.
    pub(crate) fn address(&self, table: &Table, id: Guid) -> String {
        format!("{}{}({id})", self.request.service_root, table.set_name)
    }

    /// Works out what the records of a query look like, and reads what their formatted values depend on.
    pub(crate) async fn plan(&self, query: &mut Query, shape: &Shape) -> Result<RowPlan, Failure> {
        let plan = self.planning().plan(query, shape);
        self.with_formats(plan).await
    }

    /// The same for rows that FetchXML asks for.
    pub(crate) async fn plan_fetched(&self, question: &mut RowsQuestion) -> Result<RowPlan, Failure> {
        let plan = self.planning().plan_fetched(question);
        self.with_formats(plan).await
    }

    /// The same for groups that FetchXML asks for.
    pub(crate) async fn plan_groups(&self, columns: &[GroupColumn], named: &[NamedAt]) -> Result<RowPlan, Failure> {
        let plan = self.planning().plan_groups(columns, named);
        self.with_formats(plan).await
    }

    async fn with_formats(&self, plan: RowPlan) -> Result<RowPlan, Failure> {
        match plan.formats_needed() {
            None => Ok(plan),
            Some(needed) => {
                let formats = Formats::load(self.organization, self.caller, needed.money).await?;
                Ok(plan.with_formats(Arc::new(formats)))
            }
        }
    }

    /// What questions like "mine" and "today" depend on. Costs statements: only where a question needs it.
    pub(crate) async fn asker(&self) -> Result<Asker, Failure> {
        Ok(self.organization.asker(self.caller, clock).await?)
    }

    fn planning(&self) -> Planning<'_> {
        Planning {
            schema: &self.schema,
            service_root: self.request.service_root,
            media: self.media,
            preferences: &self.preferences,
        }
    }

    /// Begins a body: `{"@odata.context":"…$metadata#<after>"`, or only the brace where the answer says nothing about
    /// itself.
    pub(crate) fn begin_body(&self, out: &mut Vec<u8>, after: &str) {
        out.push(b'{');
        if self.media.metadata != MetadataLevel::None {
            out.extend_from_slice(b"\"@odata.context\":\"");
            json::escaped(out, self.request.service_root);
            out.extend_from_slice(b"$metadata#");
            json::escaped(out, after);
            out.push(b'"');
        }
    }

    /// What a page token is bound to.
    pub(crate) fn binding<'b>(&self, path: &'b str, options: &'b [(String, String)]) -> SkipTokenBinding<'b> {
        SkipTokenBinding { caller: self.caller.acting(), path, options }
    }

    /// Seals a page token.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.request.page_token_key);
        let mut tag = [0; 32];
        for (to, from) in tag.iter_mut().zip(hmac::sign(&key, message).as_ref()) {
            *to = *from;
        }
        tag
    }
}
