//! What a request is known by in the log: its id, and the organisation that it is for.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use custodia_schema::Guid;
use custodia_store::{Error, Organization as Entry, OrganizationState, check_name};
use custodia_web_api::with_causes;
use http::{Response, StatusCode};

use super::respond;
use crate::service::Service;

/// What a request is known by.
#[derive(Clone, Copy)]
pub struct Known<'r> {
    /// Its id.
    pub id: Guid,
    /// Its organisation, as soon as it is known that there is one of that name.
    pub organization: &'r OnceLock<Arc<Entry>>,
}

impl Known<'_> {
    /// The organisation of that name, for which the request is.
    ///
    /// # Errors
    /// The answer where there is none, or it is not open to requests.
    pub fn entry(self, service: &Service, name: &str) -> Result<Arc<Entry>, Box<Response<Bytes>>> {
        let found = service.store.organization(name).and_then(|entry| {
            let entry = self.organization.get_or_init(|| entry);
            entry.require_active()?;
            Ok(Arc::clone(entry))
        });
        found.map_err(|error| Box::new(self.closed(&error)))
    }

    /// Why an organisation's door stays shut.
    pub fn closed(self, error: &Error) -> Response<Bytes> {
        match error {
            Error::NoOrganization(name) => {
                // What could not be the name of one is not repeated.
                let message = match check_name(name) {
                    Ok(()) => format!("There is no organisation '{name}' here."),
                    Err(_) => "There is no such organisation here.".to_owned(),
                };
                respond::error(StatusCode::NOT_FOUND, "0x0", &message)
            }
            Error::OrganizationState { state, .. } => {
                let message = if state == OrganizationState::Suspended.word() {
                    "This organisation is suspended by its operator."
                } else {
                    "This organisation is not open to requests now."
                };
                respond::error(StatusCode::SERVICE_UNAVAILABLE, "0x8005F103", message)
            }
            error => self.broken(error, "an organisation could not be opened"),
        }
    }

    /// Something broke: what it was stands in the log.
    pub fn broken(self, error: &dyn std::error::Error, what: &'static str) -> Response<Bytes> {
        let organization = self.organization.get();
        tracing::error!(
            request.id = %self.id,
            organization.name = organization.map(|entry| display(&entry.name)),
            organization.id = organization.map(|entry| display(entry.id)),
            error = %with_causes(error),
            "{what}"
        );
        respond::busy("The service is not available now. Try again later.")
    }
}
