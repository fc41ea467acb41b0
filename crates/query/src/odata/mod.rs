//! OData's query options: `$select`, `$filter`, `$orderby`, `$top`, `$count`, `$expand`.
