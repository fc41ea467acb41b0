//! How records are shown to whoever asks alike: worked out once, since it takes an eighth of the time of a short read.

use std::sync::Arc;

use custodia_org::RecordQuestion;
use custodia_schema::{Guid, Schema, TableId};
use hashlink::LruCache;
use parking_lot::Mutex;

use crate::call::Call;
use crate::media::Media;
use crate::prefer::Preferences;
use crate::rows::RowPlan;

/// Bytes of the query options of a question that is kept.
const OPTIONS_BYTES_MAX: usize = 2_048;

/// How one record of a table is shown.
pub(crate) struct ShownRecord {
    pub question: RecordQuestion,
    pub plan: RowPlan,
    /// What the answer says of itself after `$metadata#`.
    pub context: String,
}

/// Everything of a request that decides how a record is shown, but for who asks.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    organization: Guid,
    table: TableId,
    options: String,
    preferences: Preferences,
    media: Media,
    service_root: String,
}

/// The ways to show records that were asked for last, of all organisations of a process. Share one.
pub struct KeptQuestions {
    kept: Mutex<LruCache<Asked, Kept>>,
}

struct Kept {
    schema: Arc<Schema>,
    shown: Arc<ShownRecord>,
}

impl KeptQuestions {
    /// At most so many: the least recently used leave first. Each takes some kilobytes, and as much again for each of the last
    /// users who asked it.
    #[must_use]
    pub fn new(questions_max: usize) -> Self {
        Self { kept: Mutex::new(LruCache::new(questions_max.max(1))) }
    }

    /// How a record of the table was shown to who asked the same, if the schema is what it was.
    pub(crate) fn get(&self, call: &Call<'_>, table: TableId) -> Option<Arc<ShownRecord>> {
        let asked = Asked::of(call, table)?;
        let mut kept = self.kept.lock();
        let found = kept.get(&asked)?;
        Arc::ptr_eq(&found.schema, &call.schema).then(|| Arc::clone(&found.shown))
    }

    /// Keeps how a record is shown, which must not depend on who asks.
    pub(crate) fn keep(&self, call: &Call<'_>, table: TableId, shown: &Arc<ShownRecord>) {
        if let Some(asked) = Asked::of(call, table) {
            let kept = Kept { schema: Arc::clone(&call.schema), shown: Arc::clone(shown) };
            self.kept.lock().insert(asked, kept);
        }
    }
}

impl Asked {
    /// What a request asks; `None` for one that says too much to be kept.
    fn of(call: &Call<'_>, table: TableId) -> Option<Self> {
        (call.request.query.len() <= OPTIONS_BYTES_MAX).then(|| Self {
            organization: call.organization.id(),
            table,
            options: call.request.query.to_owned(),
            preferences: call.preferences.clone(),
            media: call.media,
            service_root: call.request.service_root.to_owned(),
        })
    }
}
