//! Descriptions of tables, columns, relationships and options: the read side of the protocol's metadata.
//!
//! They are built from the organisation's schema when they are asked for, as values with every property of their type
//! (`types.rs`), and what is asked of them is worked out here, without a database. Who may do anything at all may read all
//! of them: a secured column is described like any other, with `IsSecured` on it.

mod address;
mod change;
pub(crate) mod changes;
mod columns;
pub(crate) mod csdl;
pub(crate) mod entities;
mod filter;
mod item;
pub(crate) mod languages;
mod listing;
mod managed_properties;
mod model;
mod option_sets;
mod relationships;
mod sdk_messages;
mod tables;
mod types;
mod view;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value as Json};

use crate::answer;
use crate::call::Call;
use crate::entrance::Shape;
use crate::failure::{Failure, code};
use crate::media::MetadataLevel;
use crate::reads::separate;

use address::{Place, resolve};
use filter::Test;
use item::describe;
use listing::Listing;
use model::{Found, Model, Source};
use types::{Kind, NAMESPACE};
use view::View;

/// Answers a request for descriptions; `path` is the decoded path, whole.
pub(crate) async fn answer(call: &Call<'_>, path: &str) -> Result<Response<Bytes>, Failure> {
    if call.request.method != Method::GET {
        return match *call.request.method {
            Method::PUT | Method::PATCH => change::answer(call, path).await,
            Method::POST | Method::DELETE => {
                Err(Failure::unsupported("making and removing descriptions of tables and columns"))
            }
            _ => Err(Shape::Definitions.wrong_method(call.request.method)),
        };
    }
    let (_, schema) = call.organization.described(call.caller).await?;
    let model = Model { schema: &schema };
    let resolved = resolve(model, path)?;
    match resolved.place {
        Place::Many { kind, sources } => {
            let view = View::read(kind, &call.options, call.request.limits)?;
            let mut items = Listing::new();
            for source in sources {
                if let Some(shown) = shown(model, kind, source, &view)? {
                    items.push(shown).await;
                }
            }
            let mut body = begin(call, &format!("{}{}", resolved.context, view.context()));
            if view.count {
                body.insert("@odata.count".to_owned(), Json::from(items.len()));
            }
            let mut body = Json::Object(body).to_string().into_bytes();
            body.pop();
            separate(&mut body);
            body.extend_from_slice(b"\"value\":");
            body.extend_from_slice(&items.finish());
            body.push(b'}');
            Ok(answer::json(StatusCode::OK, call.media, body))
        }
        Place::Count { kind, sources } => {
            let view = View::read(kind, &call.options, call.request.limits)?;
            let mut count = 0_usize;
            for source in sources {
                count += usize::from(passes(model, source, &view));
            }
            Ok(answer::text(count.to_string().into_bytes()))
        }
        Place::One { kind, source } => {
            let view = View::read(kind, &call.options, call.request.limits)?;
            if view.filter.is_some() || view.count {
                return Err(Failure::invalid("$filter and $count are for collections; one description is asked for"));
            }
            let Some(Json::Object(shown)) = shown(model, kind, source, &view)? else {
                return Err(Failure::no_such_resource(path));
            };
            let mut body = begin(call, &format!("{}{}/$entity", resolved.context, view.context()));
            body.extend(shown);
            Ok(written(call, body))
        }
        Place::Nothing | Place::Value(Json::Null) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        Place::Value(value) => {
            let mut body = begin(call, &resolved.context);
            match value {
                Json::Object(members) => body.extend(members),
                value => drop(body.insert("value".to_owned(), value)),
            }
            Ok(written(call, body))
        }
        Place::Raw(text) => Ok(answer::text(text.into_bytes())),
    }
}

/// Begins a body with its context.
fn begin(call: &Call<'_>, context: &str) -> Map<String, Json> {
    let mut body = Map::new();
    if call.media.metadata != MetadataLevel::None {
        let context = format!("{}$metadata#{context}", call.request.service_root);
        body.insert("@odata.context".to_owned(), Json::String(context));
    }
    body
}

fn written(call: &Call<'_>, body: Map<String, Json>) -> Response<Bytes> {
    answer::json(StatusCode::OK, call.media, Json::Object(body).to_string().into_bytes())
}

fn passes(model: Model<'_>, source: Source<'_>, view: &View) -> bool {
    view.filter.as_ref().is_none_or(|test| test.passes(&tested(model, source, test)))
}

/// A description as a test sees it: with the descriptions within it that the test goes into.
fn tested(model: Model<'_>, source: Source<'_>, test: &Test) -> Map<String, Json> {
    let mut whole = describe(model, source);
    for navigation in source.kind().chain().flat_map(|kind| kind.navigations) {
        if test.goes_into(navigation.name)
            && let Some(Found::One(Some(found))) = model.navigate(source, navigation.name)
        {
            whole.insert(navigation.name.to_owned(), Json::Object(describe(model, found)));
        }
    }
    whole
}

/// A description as it is shown, `None` when the filter leaves it out. `declared` is the type that the place of it is
/// said to have: where it is of a type that extends that one, it says so.
fn shown(model: Model<'_>, declared: &'static Kind, source: Source<'_>, view: &View) -> Result<Option<Json>, Failure> {
    if !passes(model, source, view) {
        return Ok(None);
    }
    let mut whole = describe(model, source);
    let mut shown = match &view.select {
        None => whole,
        Some(names) => {
            let kept = [source.kind().id_property()].into_iter().chain(names.iter().map(String::as_str));
            kept.filter_map(|name| whole.remove_entry(name)).collect()
        }
    };
    let kind = source.kind();
    if kind.name != declared.name {
        shown.insert("@odata.type".to_owned(), Json::String(format!("#{NAMESPACE}{}", kind.name)));
    }
    for expanded in &view.expand {
        let name = expanded.navigation.name;
        let value = match model.navigate(source, name) {
            // Of a type that does not have it, though the type it extends does.
            None | Some(Found::One(None)) => Json::Null,
            Some(Found::One(Some(found))) => {
                self::shown(model, expanded.kind, found, &expanded.view)?.unwrap_or(Json::Null)
            }
            Some(Found::Many(found)) => {
                let mut items = Vec::new();
                for source in found.into_iter().filter(|source| source.kind().is(expanded.kind)) {
                    items.extend(self::shown(model, expanded.kind, source, &expanded.view)?);
                }
                if expanded.view.count {
                    shown.insert(format!("{name}@odata.count"), Json::from(items.len()));
                }
                Json::Array(items)
            }
        };
        shown.insert(name.to_owned(), value);
    }
    Ok(Some(Json::Object(shown)))
}

/// There is no description of that name or id.
fn missing(what: &str, key: &str) -> Failure {
    let message = format!("Could not find an item of {what} with the key {key}.");
    Failure::new(StatusCode::NOT_FOUND, code::NOT_FOUND, message)
}
