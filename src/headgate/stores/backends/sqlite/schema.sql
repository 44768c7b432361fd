-- Written by headgate.stores.backends.sqlite.schema from headgate.stores.tables. Do not edit.

CREATE TABLE alert (
  id INTEGER NOT NULL,
  event TEXT NOT NULL,
  at_ns BIGINT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT DEFAULT '' NOT NULL,
  severity TEXT DEFAULT 'warning' NOT NULL,
  text TEXT DEFAULT '' NOT NULL,
  facts TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (event)
);

CREATE INDEX alert_kind ON alert (kind, subject);

CREATE TABLE answer (
  "key" BLOB NOT NULL,
  number BIGINT NOT NULL,
  compat BLOB NOT NULL,
  embedder TEXT DEFAULT '' NOT NULL,
  tenant TEXT DEFAULT '' NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  scope TEXT DEFAULT '' NOT NULL,
  owner TEXT DEFAULT '' NOT NULL,
  user TEXT DEFAULT '' NOT NULL,
  origin_id BIGINT DEFAULT 0 NOT NULL,
  made_ns BIGINT NOT NULL,
  until_ns BIGINT NOT NULL,
  used_ns BIGINT NOT NULL,
  hits BIGINT DEFAULT 0 NOT NULL,
  size BIGINT NOT NULL,
  entry BLOB NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY ("key")
);

CREATE INDEX answer_near ON answer (compat, embedder) WHERE embedder != '';

CREATE INDEX answer_number ON answer (number);

CREATE INDEX answer_until ON answer (until_ns);

CREATE INDEX answer_used ON answer (used_ns);

CREATE TABLE answer_judgement (
  id INTEGER NOT NULL,
  "key" BLOB NOT NULL,
  score FLOAT NOT NULL,
  "right" BOOLEAN NOT NULL,
  at_ns BIGINT NOT NULL,
  source TEXT DEFAULT '' NOT NULL,
  question TEXT DEFAULT '' NOT NULL,
  request_id BIGINT DEFAULT 0 NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  weight FLOAT DEFAULT 1 NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX answer_judgement_at ON answer_judgement (at_ns);

CREATE INDEX answer_judgement_key ON answer_judgement ("key");

CREATE INDEX answer_judgement_request ON answer_judgement (request_id) WHERE request_id != 0;

CREATE TABLE answer_removal (
  number BIGINT NOT NULL,
  at_ns BIGINT NOT NULL,
  which TEXT NOT NULL,
  PRIMARY KEY (number)
);

CREATE TABLE answer_room (
  id BIGINT NOT NULL,
  written BIGINT DEFAULT 0 NOT NULL,
  removed BIGINT DEFAULT 0 NOT NULL,
  floor BIGINT DEFAULT 0 NOT NULL,
  entries BIGINT DEFAULT 0 NOT NULL,
  bytes BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE attempt (
  id BIGINT NOT NULL,
  request_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  wire TEXT DEFAULT '' NOT NULL,
  reported_model TEXT DEFAULT '' NOT NULL,
  region TEXT DEFAULT '' NOT NULL,
  status BIGINT DEFAULT 0 NOT NULL,
  outcome TEXT DEFAULT 'ok' NOT NULL,
  error_class TEXT DEFAULT '' NOT NULL,
  error_detail TEXT DEFAULT '' NOT NULL,
  finish_reason TEXT DEFAULT '' NOT NULL,
  started_us BIGINT DEFAULT 0 NOT NULL,
  connected_us BIGINT DEFAULT 0 NOT NULL,
  sent_us BIGINT DEFAULT 0 NOT NULL,
  first_byte_us BIGINT DEFAULT 0 NOT NULL,
  first_content_us BIGINT DEFAULT 0 NOT NULL,
  ended_us BIGINT DEFAULT 0 NOT NULL,
  input_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_read_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_write_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_write_1h_tokens BIGINT DEFAULT 0 NOT NULL,
  output_tokens BIGINT DEFAULT 0 NOT NULL,
  reasoning_tokens BIGINT DEFAULT 0 NOT NULL,
  cost_nanos BIGINT,
  cost_label TEXT DEFAULT '' NOT NULL,
  upstream_request_id TEXT DEFAULT '' NOT NULL,
  kind TEXT DEFAULT '' NOT NULL,
  credential TEXT DEFAULT '' NOT NULL,
  reserved_nanos BIGINT DEFAULT 0 NOT NULL,
  fingerprint TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (request_id, number)
)
 WITHOUT ROWID;

CREATE TABLE audit (
  id INTEGER NOT NULL,
  at_ns BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT DEFAULT '' NOT NULL,
  "before" TEXT DEFAULT '' NOT NULL,
  "after" TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (id)
);

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is only ever added to'); END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is only ever added to'); END;

CREATE TABLE budget_use (
  budget TEXT NOT NULL,
  subject TEXT NOT NULL,
  period BIGINT NOT NULL,
  nanos BIGINT NOT NULL,
  PRIMARY KEY (budget, subject, period)
)
 WITHOUT ROWID;

CREATE TABLE content_segment (
  id INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE failure (
  at BIGINT NOT NULL,
  feature TEXT NOT NULL,
  model TEXT NOT NULL,
  error_class TEXT NOT NULL,
  user TEXT NOT NULL,
  requests BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (at, feature, model, error_class, user)
)
 WITHOUT ROWID;

CREATE INDEX failure_users ON failure (feature, model, error_class, user, at, requests);

CREATE TABLE gauge (
  at BIGINT NOT NULL,
  name TEXT NOT NULL,
  node BIGINT NOT NULL,
  value FLOAT NOT NULL,
  PRIMARY KEY (at, name, node)
)
 WITHOUT ROWID;

CREATE TABLE installation (
  name TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (name)
)
 WITHOUT ROWID;

CREATE TABLE journal_position (
  journal TEXT NOT NULL,
  segment BIGINT NOT NULL,
  "offset" BIGINT NOT NULL,
  PRIMARY KEY (journal)
)
 WITHOUT ROWID;

CREATE TABLE "key" (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  expires_ns BIGINT,
  revoked_ns BIGINT,
  team TEXT DEFAULT '' NOT NULL,
  tenant TEXT DEFAULT '' NOT NULL,
  models TEXT DEFAULT '[]' NOT NULL,
  features TEXT DEFAULT '[]' NOT NULL,
  roles TEXT DEFAULT '["service"]' NOT NULL,
  user TEXT DEFAULT '' NOT NULL,
  note TEXT DEFAULT '' NOT NULL,
  last_used_ns BIGINT,
  old_hashes TEXT DEFAULT '[]' NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (name),
  UNIQUE (hash)
);

CREATE TABLE ledger_entry (
  id INTEGER NOT NULL,
  event TEXT NOT NULL,
  at_ns BIGINT NOT NULL,
  kind TEXT NOT NULL,
  nanos BIGINT NOT NULL,
  label TEXT DEFAULT '' NOT NULL,
  attempt_id BIGINT DEFAULT 0 NOT NULL,
  request_id BIGINT DEFAULT 0 NOT NULL,
  provider TEXT DEFAULT '' NOT NULL,
  model TEXT DEFAULT '' NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  key_id TEXT DEFAULT '' NOT NULL,
  user TEXT DEFAULT '' NOT NULL,
  team TEXT DEFAULT '' NOT NULL,
  tenant TEXT DEFAULT '' NOT NULL,
  budget TEXT DEFAULT '' NOT NULL,
  subject TEXT DEFAULT '' NOT NULL,
  note TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (id)
);

CREATE UNIQUE INDEX ledger_entry_event ON ledger_entry (event);

CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is only ever added to'); END;

CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is only ever added to'); END;

CREATE TABLE login (
  hash TEXT NOT NULL,
  person TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  expires_ns BIGINT NOT NULL,
  seen_ns BIGINT NOT NULL,
  agent TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (hash)
)
 WITHOUT ROWID;

CREATE INDEX login_person ON login (person);

CREATE TABLE mark (
  id INTEGER NOT NULL,
  event TEXT NOT NULL,
  at_ns BIGINT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT DEFAULT '' NOT NULL,
  text TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (event)
);

CREATE INDEX mark_at ON mark (at_ns);

CREATE TABLE person (
  id TEXT NOT NULL,
  email TEXT NOT NULL,
  name TEXT DEFAULT '' NOT NULL,
  password TEXT DEFAULT '' NOT NULL,
  roles TEXT DEFAULT '[]' NOT NULL,
  team TEXT DEFAULT '' NOT NULL,
  issuer TEXT DEFAULT '' NOT NULL,
  identity TEXT DEFAULT '' NOT NULL,
  created_ns BIGINT NOT NULL,
  disabled_ns BIGINT,
  seen_ns BIGINT,
  PRIMARY KEY (id),
  UNIQUE (email)
)
 WITHOUT ROWID;

CREATE TABLE receiver (
  name TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  kind TEXT NOT NULL,
  address TEXT NOT NULL,
  subject TEXT DEFAULT '' NOT NULL,
  about TEXT DEFAULT '[]' NOT NULL,
  least TEXT DEFAULT 'info' NOT NULL,
  via TEXT DEFAULT '' NOT NULL,
  note TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (name)
)
 WITHOUT ROWID;

CREATE TABLE rehearsal (
  id INTEGER NOT NULL,
  endpoint TEXT NOT NULL,
  targets TEXT NOT NULL,
  fault TEXT NOT NULL,
  share FLOAT NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  started_ns BIGINT NOT NULL,
  until_ns BIGINT NOT NULL,
  stopped_ns BIGINT,
  PRIMARY KEY (id)
);

CREATE TABLE request (
  stored INTEGER NOT NULL,
  id BIGINT NOT NULL,
  started_ns BIGINT NOT NULL,
  trace_id TEXT NOT NULL,
  parent_id TEXT DEFAULT '' NOT NULL,
  key_id TEXT DEFAULT '' NOT NULL,
  team TEXT DEFAULT '' NOT NULL,
  tenant TEXT DEFAULT '' NOT NULL,
  user TEXT DEFAULT '' NOT NULL,
  session TEXT DEFAULT '' NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  tags TEXT DEFAULT '' NOT NULL,
  operation TEXT DEFAULT '' NOT NULL,
  dialect TEXT DEFAULT '' NOT NULL,
  stream BOOLEAN DEFAULT 0 NOT NULL,
  requested_model TEXT DEFAULT '' NOT NULL,
  routed_model TEXT DEFAULT '' NOT NULL,
  reported_model TEXT DEFAULT '' NOT NULL,
  provider TEXT DEFAULT '' NOT NULL,
  region TEXT DEFAULT '' NOT NULL,
  config_hash TEXT DEFAULT '' NOT NULL,
  status BIGINT DEFAULT 0 NOT NULL,
  outcome TEXT DEFAULT 'ok' NOT NULL,
  error_class TEXT DEFAULT '' NOT NULL,
  error_detail TEXT DEFAULT '' NOT NULL,
  finish_reason TEXT DEFAULT '' NOT NULL,
  attempts BIGINT DEFAULT 0 NOT NULL,
  queued_us BIGINT DEFAULT 0 NOT NULL,
  first_upstream_us BIGINT DEFAULT 0 NOT NULL,
  first_content_us BIGINT DEFAULT 0 NOT NULL,
  total_us BIGINT DEFAULT 0 NOT NULL,
  overhead_us BIGINT DEFAULT 0 NOT NULL,
  input_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_read_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_write_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_write_1h_tokens BIGINT DEFAULT 0 NOT NULL,
  output_tokens BIGINT DEFAULT 0 NOT NULL,
  reasoning_tokens BIGINT DEFAULT 0 NOT NULL,
  cost_nanos BIGINT,
  cost_label TEXT DEFAULT '' NOT NULL,
  bytes_in BIGINT DEFAULT 0 NOT NULL,
  bytes_out BIGINT DEFAULT 0 NOT NULL,
  request_content TEXT DEFAULT '' NOT NULL,
  reply_content TEXT DEFAULT '' NOT NULL,
  notes TEXT DEFAULT '' NOT NULL,
  tier TEXT DEFAULT '' NOT NULL,
  degraded TEXT DEFAULT '' NOT NULL,
  purpose TEXT DEFAULT '' NOT NULL,
  avoided_nanos BIGINT DEFAULT 0 NOT NULL,
  prompt TEXT DEFAULT '' NOT NULL,
  replay_of BIGINT DEFAULT 0 NOT NULL,
  cache TEXT DEFAULT '' NOT NULL,
  origin_id BIGINT DEFAULT 0 NOT NULL,
  avoided_us BIGINT DEFAULT 0 NOT NULL,
  similarity BIGINT DEFAULT 0 NOT NULL,
  variables TEXT DEFAULT '' NOT NULL,
  cache_read_saved_nanos BIGINT DEFAULT 0 NOT NULL,
  cache_write_extra_nanos BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (stored)
);

CREATE INDEX request_feature ON request (feature) WHERE feature != '';

CREATE UNIQUE INDEX request_id ON request (id);

CREATE INDEX request_key_id ON request (key_id) WHERE key_id != '';

CREATE INDEX request_origin ON request (origin_id) WHERE origin_id != 0;

CREATE INDEX request_replay ON request (replay_of) WHERE replay_of != 0;

CREATE INDEX request_session ON request (session) WHERE session != '';

CREATE INDEX request_trace ON request (trace_id) WHERE parent_id != '';

CREATE INDEX request_user ON request (user) WHERE user != '';

CREATE TABLE rollup (
  seconds BIGINT NOT NULL,
  at BIGINT NOT NULL,
  feature TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  outcome TEXT NOT NULL,
  purpose TEXT NOT NULL,
  requests BIGINT DEFAULT 0 NOT NULL,
  attempts BIGINT DEFAULT 0 NOT NULL,
  failovers BIGINT DEFAULT 0 NOT NULL,
  degraded BIGINT DEFAULT 0 NOT NULL,
  cached BIGINT DEFAULT 0 NOT NULL,
  refusals BIGINT DEFAULT 0 NOT NULL,
  input_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_read_tokens BIGINT DEFAULT 0 NOT NULL,
  cache_write_tokens BIGINT DEFAULT 0 NOT NULL,
  output_tokens BIGINT DEFAULT 0 NOT NULL,
  reasoning_tokens BIGINT DEFAULT 0 NOT NULL,
  cost_nanos BIGINT DEFAULT 0 NOT NULL,
  estimated_nanos BIGINT DEFAULT 0 NOT NULL,
  unpriced BIGINT DEFAULT 0 NOT NULL,
  avoided_nanos BIGINT DEFAULT 0 NOT NULL,
  sketches BLOB DEFAULT '' NOT NULL,
  reworded BIGINT DEFAULT 0 NOT NULL,
  joined BIGINT DEFAULT 0 NOT NULL,
  cacheable BIGINT DEFAULT 0 NOT NULL,
  avoided_us BIGINT DEFAULT 0 NOT NULL,
  cache_read_saved_nanos BIGINT DEFAULT 0 NOT NULL,
  cache_write_extra_nanos BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (seconds, at, feature, model, provider, outcome, purpose)
)
 WITHOUT ROWID;

CREATE TABLE rule (
  name TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  changed_ns BIGINT NOT NULL,
  definition TEXT NOT NULL,
  paused BOOLEAN DEFAULT 0 NOT NULL,
  PRIMARY KEY (name)
)
 WITHOUT ROWID;

CREATE TABLE rule_state (
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  state TEXT NOT NULL,
  since_ns BIGINT NOT NULL,
  looked_ns BIGINT NOT NULL,
  value FLOAT,
  number BIGINT DEFAULT 0 NOT NULL,
  toward TEXT DEFAULT '' NOT NULL,
  held BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (rule, subject)
)
 WITHOUT ROWID;

CREATE TABLE score (
  id INTEGER NOT NULL,
  event TEXT NOT NULL,
  at_ns BIGINT NOT NULL,
  request_id BIGINT DEFAULT 0 NOT NULL,
  session TEXT DEFAULT '' NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  number FLOAT,
  label TEXT DEFAULT '' NOT NULL,
  text TEXT DEFAULT '' NOT NULL,
  source TEXT NOT NULL,
  author TEXT DEFAULT '' NOT NULL,
  evaluator TEXT DEFAULT '' NOT NULL,
  key_id TEXT DEFAULT '' NOT NULL,
  team TEXT DEFAULT '' NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  model TEXT DEFAULT '' NOT NULL,
  provider TEXT DEFAULT '' NOT NULL,
  prompt TEXT DEFAULT '' NOT NULL,
  user TEXT DEFAULT '' NOT NULL,
  joined BOOLEAN DEFAULT 0 NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (event)
);

CREATE INDEX score_alone ON score (at_ns) WHERE joined = 0;

CREATE INDEX score_request ON score (request_id);

CREATE INDEX score_session ON score (session) WHERE session != '';

CREATE TABLE score_rollup (
  seconds BIGINT NOT NULL,
  at BIGINT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  source TEXT NOT NULL,
  feature TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt TEXT NOT NULL,
  scores BIGINT DEFAULT 0 NOT NULL,
  total FLOAT DEFAULT 0 NOT NULL,
  squares FLOAT DEFAULT 0 NOT NULL,
  PRIMARY KEY (seconds, at, name, kind, source, feature, model, prompt)
)
 WITHOUT ROWID;

CREATE TABLE secret (
  name TEXT NOT NULL,
  host TEXT NOT NULL,
  sealed BLOB NOT NULL,
  master TEXT NOT NULL,
  created_ns BIGINT NOT NULL,
  changed_ns BIGINT NOT NULL,
  PRIMARY KEY (name)
)
 WITHOUT ROWID;

CREATE TABLE session (
  session TEXT NOT NULL,
  feature TEXT DEFAULT '' NOT NULL,
  user TEXT DEFAULT '' NOT NULL,
  key_id TEXT DEFAULT '' NOT NULL,
  first_ns BIGINT DEFAULT 0 NOT NULL,
  last_ns BIGINT DEFAULT 0 NOT NULL,
  requests BIGINT DEFAULT 0 NOT NULL,
  failed BIGINT DEFAULT 0 NOT NULL,
  input_tokens BIGINT DEFAULT 0 NOT NULL,
  output_tokens BIGINT DEFAULT 0 NOT NULL,
  cost_nanos BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (session)
)
 WITHOUT ROWID;

CREATE INDEX session_last ON session (last_ns);

CREATE INDEX session_user ON session (user, last_ns);

CREATE TABLE spend (
  seconds BIGINT NOT NULL,
  dimension TEXT NOT NULL,
  at BIGINT NOT NULL,
  value TEXT NOT NULL,
  requests BIGINT DEFAULT 0 NOT NULL,
  failed BIGINT DEFAULT 0 NOT NULL,
  input_tokens BIGINT DEFAULT 0 NOT NULL,
  output_tokens BIGINT DEFAULT 0 NOT NULL,
  cost_nanos BIGINT DEFAULT 0 NOT NULL,
  estimated_nanos BIGINT DEFAULT 0 NOT NULL,
  unpriced BIGINT DEFAULT 0 NOT NULL,
  avoided_nanos BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (seconds, dimension, at, value)
)
 WITHOUT ROWID;

CREATE TABLE content (
  hash TEXT NOT NULL,
  kind TEXT NOT NULL,
  segment_id BIGINT NOT NULL,
  "offset" BIGINT NOT NULL,
  length BIGINT NOT NULL,
  size BIGINT NOT NULL,
  last_id BIGINT DEFAULT 0 NOT NULL,
  PRIMARY KEY (hash),
  FOREIGN KEY(segment_id) REFERENCES content_segment (id)
)
 WITHOUT ROWID;

CREATE TABLE delivery (
  alert_id BIGINT NOT NULL,
  receiver TEXT NOT NULL,
  tries BIGINT DEFAULT 0 NOT NULL,
  next_ns BIGINT DEFAULT 0 NOT NULL,
  done_ns BIGINT,
  failed BOOLEAN DEFAULT 0 NOT NULL,
  error TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (alert_id, receiver),
  FOREIGN KEY(alert_id) REFERENCES alert (id)
)
 WITHOUT ROWID;

CREATE INDEX delivery_waiting ON delivery (next_ns) WHERE done_ns IS NULL;
