BEGIN TRANSACTION;
CREATE TABLE edit (
  run integer not null references run (id) on delete cascade,
  n integer not null,
  action text not null,
  tasks text not null,
  author text not null,
  reason text not null,
  primary key (run, n)
);
CREATE TABLE log (
  id integer primary key autoincrement,
  pod_uid text not null unique,
  run_uid text not null,
  namespace text not null,
  namespace_uid text not null,
  run text not null,
  task text not null,
  attempt integer not null,
  pod text not null,
  started integer,
  ended integer,
  bytes integer not null,
  lines integer not null,
  complete integer not null,
  reason text not null,
  stored integer not null
);
INSERT INTO "log" VALUES(1,'p-1','uid-etl-1','shop','ns','etl-1','load',1,'pod-p-1',5,9,4,1,1,'',10);
CREATE TABLE log_chunk (
  log integer not null references log (id) on delete cascade,
  n integer not null,
  segment integer not null,
  place integer not null,
  size integer not null,
  bytes integer not null,
  first_line integer not null,
  primary key (log, n)
);
INSERT INTO "log_chunk" VALUES(1,0,1,0,24,4,0);
CREATE TABLE position (
  namespace text primary key,
  cluster text not null,
  epoch integer not null,
  version integer not null,
  at integer not null
);
INSERT INTO "position" VALUES('','c',0,5,0);
CREATE TABLE revision (
  id integer primary key autoincrement,
  cluster text not null,
  namespace text not null,
  namespace_uid text not null,
  name text not null,
  dag text not null,
  number integer not null,
  cause text not null,
  spec blob not null,
  unique (cluster, namespace_uid, namespace, name)
);
CREATE TABLE run (
  id integer primary key autoincrement,
  uid text not null unique,
  epoch integer not null,
  version integer not null,
  cluster text not null,
  namespace text not null,
  namespace_uid text not null,
  dag text not null,
  name text not null,
  phase text not null,
  created integer not null,
  logical integer,
  started integer,
  finished integer,
  deleted integer,
  ended integer not null,
  how text not null,
  maker text not null,
  revision text not null,
  revision_number integer not null,
  author text not null,
  message text not null,
  total integer not null,
  done integer not null,
  failed integer not null,
  skipped integer not null,
  detail blob not null
);
INSERT INTO "run" VALUES(1,'uid-etl-1',0,5,'c','shop','n','etl','etl-1','Succeeded',1777615200000,NULL,1777615201000,1777615260000,NULL,1777615260000,'schedule','nightly','etl-abc',3,'','',1,1,0,0,X'789C6D50C14EC3300CFD15E42B2DA443DBA1377E800B13076E6E62DA48491A25CED034F5DF71C210974A91153F3FFB3DFB069E180D32C27883809E600462D70FD0B53447D415CBCB1A052AD64822B1FF2325CA6B499A3E2865BB06A91E05D58990253D5B19C1E8A3E0077538F5EAD8ABE1AC4EA352F23E85EA702297AB3C2734F46D8379327479E664E79952CFD7D80CE8854C71241DBB3CA1043B2FECAEB06D1DE448BACE3438FF6E247D1113FAA6243687C662E4D290B860AE32EF456B2243065A35319957DE353F54F35F36D8BCEC7386FB82C84C3EB2C8003EA8C77A345E199D78E8C0AC81DA27D1C5DE0F584F8B93867FF0ADF8A9AEF8B26D3FF1518870');
CREATE TABLE schema_version (version integer not null);
INSERT INTO "schema_version" VALUES(1);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE task (
  run integer not null references run (id) on delete cascade,
  task text not null,
  state text not null,
  items integer not null,
  failed_items integer not null,
  attempts integer not null,
  losses integer not null,
  start integer,
  seconds integer not null,
  longest integer not null,
  reason text not null,
  exit_code integer,
  n integer not null,
  primary key (run, task)
);
INSERT INTO "task" VALUES(1,'a','Succeeded',1,0,1,0,1777615200000,1,1,'',NULL,0);
CREATE TABLE unreadable (
  id integer primary key autoincrement,
  key text not null unique,
  namespace text not null,
  name text not null,
  version integer not null,
  error text not null,
  raw blob not null,
  at integer not null
);
CREATE INDEX run_by_dag on run (namespace, dag, created desc, id desc);
CREATE INDEX run_by_namespace on run (namespace, created desc, id desc);
CREATE INDEX run_unsuccessful on run (namespace, created desc, id desc) where phase <> 'Succeeded';
CREATE INDEX run_by_creation on run (created desc, id desc);
CREATE INDEX run_by_name on run (namespace, name);
CREATE INDEX run_by_end on run (ended);
CREATE INDEX log_by_run on log (run_uid, task, attempt);
CREATE INDEX log_by_time on log (stored);
CREATE INDEX log_chunk_by_segment on log_chunk (segment);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',1);
INSERT INTO "sqlite_sequence" VALUES('log',1);
COMMIT;
