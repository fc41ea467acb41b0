//! The statements of a batch run in the order in which they were asked for, however few of them a connection keeps prepared.

use custodia_schema::{Guid, Value};
use custodia_store::Limits;

use crate::on_both_engines;
use crate::site::{Engine, Site, Step, master_key, table, values, write};

on_both_engines! {
    statements_keep_their_order_where_one_stays_prepared;
}

mod bodies {
    use super::*;

    pub async fn statements_keep_their_order_where_one_stays_prepared(engine: Engine) {
        let limits = Limits { prepared_statements_max: 1, ..Limits::default() };
        let site = Site::with(engine, &master_key(), None, limits).await;
        let database = site.organization("north").await;
        let units = table(&database, "businessunit");
        let (above, below) = (Guid::from_u128(1), Guid::from_u128(2));
        let under = values(&units, &[("parentbusinessunitid", Value::Lookup(units.id, above))]);
        let steps = vec![Step::Insert(units.clone(), above, vec![]), Step::Insert(units.clone(), below, under)];
        write(&database, steps).await.unwrap();
        // That one unit lies below the other is put down by a statement that reads what those before it wrote.
        let path = database
            .write(move |transaction| Box::pin(async move { transaction.unit_path(below).await }))
            .await
            .unwrap();
        assert_eq!(path.unwrap().above, [above]);
    }
}
