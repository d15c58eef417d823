BEGIN TRANSACTION;
CREATE TABLE advice (
	id INTEGER NOT NULL, 
	review_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	outcome VARCHAR(20) NOT NULL, 
	text TEXT, 
	model VARCHAR(100) NOT NULL, 
	input_tokens INTEGER, 
	output_tokens INTEGER, 
	cost_usd NUMERIC(12, 6), 
	reason VARCHAR(500), 
	CONSTRAINT pk_advice PRIMARY KEY (id), 
	CONSTRAINT fk_advice_review_id_reviews FOREIGN KEY(review_id) REFERENCES reviews (id) ON DELETE CASCADE
);
INSERT INTO "advice" VALUES(90,6,'2026-11-28 14:32:37.477988','drafted','Приветствуем вас! Благодарим за тёплые слова. Нам приятно знать, что покупка вас порадовала. Ждём вас за новыми покупками!','gpt-5.4-mini',411,46,0.00051525,NULL);
INSERT INTO "advice" VALUES(92,5,'2026-11-28 14:32:37.750022','drafted','Приветствуем вас! Спасибо, что нашли время поделиться впечатлениями. Пусть вещь служит вам долго. Будем рады видеть вас снова!','gpt-5.4-mini',424,47,0.0005295,NULL);
INSERT INTO "advice" VALUES(94,4,'2026-11-28 14:32:38.101965','drafted','Приветствуем вас! Благодарим за тёплые слова. Нам приятно знать, что покупка вас порадовала. Ждём вас за новыми покупками!','gpt-5.4-mini',449,46,0.00054375,NULL);
INSERT INTO "advice" VALUES(95,3,'2026-11-28 14:32:38.285927','drafted','Добрый день! Спасибо за честный отзыв. Передали ваши замечания коллегам, чтобы товар стал лучше. Надеемся, что следующая покупка порадует вас больше.','gpt-5.4-mini',418,55,0.000561,NULL);
INSERT INTO "advice" VALUES(97,2,'2026-11-28 14:32:38.533853','drafted','Добрый день! Благодарим за тёплые слова. Нам приятно знать, что покупка вас порадовала. Будем рады видеть вас снова!','gpt-5.4-mini',436,44,0.000525,NULL);
INSERT INTO "advice" VALUES(98,1,'2026-11-28 14:32:38.769856','drafted','Здравствуйте! Спасибо, что рассказали и о плюсах, и о минусах. Мы разберёмся с тем, что вас смутило. Надеемся, что следующая покупка порадует вас больше.','gpt-5.4-mini',448,56,0.000588,NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('e1f7a94b0c28');
CREATE TABLE invalid_rows (
	id INTEGER NOT NULL, 
	source VARCHAR(60) NOT NULL, 
	external_id VARCHAR(100), 
	reason VARCHAR(500) NOT NULL, 
	payload JSON NOT NULL, 
	fingerprint VARCHAR(32) NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	last_seen_at DATETIME NOT NULL, 
	times INTEGER NOT NULL, 
	CONSTRAINT pk_invalid_rows PRIMARY KEY (id), 
	CONSTRAINT uq_invalid_rows_source_fingerprint UNIQUE (source, fingerprint)
);
CREATE TABLE job_run_days (
	job_name VARCHAR(100) NOT NULL, 
	day DATE NOT NULL, 
	success INTEGER NOT NULL, 
	error INTEGER NOT NULL, 
	timeout INTEGER NOT NULL, 
	cancelled INTEGER NOT NULL, 
	lost INTEGER NOT NULL, 
	timed INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	last_success DATETIME, 
	durations JSON NOT NULL, 
	success_durations JSON NOT NULL, 
	is_pruned BOOLEAN NOT NULL, 
	CONSTRAINT pk_job_run_days PRIMARY KEY (job_name, day)
);
CREATE TABLE job_runs (
	id INTEGER NOT NULL, 
	job_name VARCHAR(100) NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	status VARCHAR(20) NOT NULL, 
	duration_seconds FLOAT, 
	error_message VARCHAR(500), 
	metadata JSON NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	trace_id VARCHAR(32) NOT NULL, 
	span_id VARCHAR(16) NOT NULL, 
	scheduled_for DATETIME, 
	worker VARCHAR(255) NOT NULL, 
	heartbeat_at DATETIME, 
	outcome VARCHAR(20), deadline_at DATETIME, overdue_at DATETIME, slowest_child VARCHAR(255), slowest_child_seconds FLOAT, first_error VARCHAR(255), 
	CONSTRAINT pk_job_runs PRIMARY KEY (id), 
	CONSTRAINT uq_job_runs_run_id UNIQUE (run_id)
);
INSERT INTO "job_runs" VALUES(2,'sync_wb_orders','2026-11-28 14:32:20.200454','2026-11-28 14:32:20.382005','success',0.181551,NULL,'{"pages": 2, "new": 400, "changed": 0, "unchanged": 1, "invalid": 0}','988b6524d7f341e4594762fa53dcc02b27d144503dc773bb','988b6524d7f341e4594762fa53dcc02b','27d144503dc773bb','2026-11-28 14:32:00.000000','vm:3067','2026-11-28 14:32:20.383627','success','2026-11-28 15:02:20.200454',NULL,'GET /api/v1/supplier/orders',0.033849498,NULL);
INSERT INTO "job_runs" VALUES(3,'sync_ozon_orders','2026-11-28 14:32:20.202815','2026-11-28 14:32:25.291665','success',5.08885,NULL,'{"pages": 3, "new": 240, "changed": 0, "unchanged": 0, "invalid": 0}','77272ca52058afed9884e4c779a2f6e4333a5af8793d981e','77272ca52058afed9884e4c779a2f6e4','333a5af8793d981e','2026-11-28 14:32:00.000000','vm:3067','2026-11-28 14:32:25.292814','success','2026-11-28 15:02:20.202815',NULL,'POST /v4/posting/fbs/list',0.021743722,NULL);
INSERT INTO "job_runs" VALUES(7,'check_resources','2026-11-28 14:33:00.010679','2026-11-28 14:33:00.039924','success',0.029245,NULL,'{"findings": []}','3f4d60b85f32e828da7497b255d1dfebda81b720d655000a','3f4d60b85f32e828da7497b255d1dfeb','da81b720d655000a','2026-11-28 14:33:00.000000','vm:3067','2026-11-28 14:33:00.044463','success','2026-11-28 14:34:00.010679',NULL,NULL,NULL,NULL);
INSERT INTO "job_runs" VALUES(8,'sync_ozon_reviews','2026-11-28 14:33:00.014433','2026-11-28 14:33:03.027142','success',3.012709,NULL,'{"pages": 3, "new": 1, "changed": 0, "unchanged": 88, "invalid": 0, "gone": 0}','7ca6cd429e184836f8b570d84cbbb98f2f48cc443bf67f0b','7ca6cd429e184836f8b570d84cbbb98f','2f48cc443bf67f0b','2026-11-28 14:33:00.000000','vm:3067','2026-11-28 14:33:03.027630','success','2026-11-28 14:48:00.014433',NULL,'UPDATE sync_positions',0.022099905,NULL);
INSERT INTO "job_runs" VALUES(9,'sync_wb_reviews','2026-11-28 14:33:00.018589','2026-11-28 14:33:00.143572','success',0.124983,NULL,'{"pages": 2, "new": 1, "changed": 0, "unchanged": 75, "invalid": 0, "gone": 0}','67044915d540570ac5ad5703fc3a19b3e6118f5c5f7d1a19','67044915d540570ac5ad5703fc3a19b3','e6118f5c5f7d1a19','2026-11-28 14:33:00.000000','vm:3067','2026-11-28 14:33:00.144243','success','2026-11-28 14:48:00.018589',NULL,'GET /api/v1/feedbacks',0.019108085,NULL);
INSERT INTO "job_runs" VALUES(11,'generate_advice','2026-11-28 14:33:15.005820','2026-11-28 14:33:15.010554','success',0.004734,NULL,'{"drafted": 0, "waiting": 0}','6c47a4cf82e85321ad6e407edc66bf5a133a2aa6b98659aa','6c47a4cf82e85321ad6e407edc66bf5a','133a2aa6b98659aa','2026-11-28 14:33:15.000000','vm:3067','2026-11-28 14:33:15.011160','success','2026-11-28 14:43:15.005820',NULL,'connect',0.000406902,NULL);
CREATE TABLE missed_runs (
	id INTEGER NOT NULL, 
	job_name VARCHAR(100) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	first_tick DATETIME NOT NULL, 
	last_tick DATETIME NOT NULL, 
	ticks INTEGER NOT NULL, 
	noticed_at DATETIME NOT NULL, 
	CONSTRAINT pk_missed_runs PRIMARY KEY (id)
);
CREATE TABLE orders (
	id INTEGER NOT NULL, 
	marketplace VARCHAR(20) NOT NULL, 
	external_id VARCHAR(100) NOT NULL, 
	order_number VARCHAR(100) NOT NULL, 
	scheme VARCHAR(10) NOT NULL, 
	ordered_at DATETIME NOT NULL, 
	status VARCHAR(50) NOT NULL, 
	cancelled BOOLEAN NOT NULL, 
	cancelled_at DATETIME, 
	quantity INTEGER NOT NULL, 
	amount NUMERIC(14, 2) NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	items JSON NOT NULL, 
	as_of DATETIME NOT NULL, 
	digest VARCHAR(32) NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_orders PRIMARY KEY (id), 
	CONSTRAINT uq_orders_external_id_marketplace UNIQUE (external_id, marketplace)
);
INSERT INTO "orders" VALUES(1,'wb','eb.r00000000.0.0','80137604055937009969','fbo','2026-08-31 14:32:09.000000','ordered',0,NULL,1,1275,'RUB','[{"product_id": "245921020", "article": "NB-55/\u0431\u0435\u043b", "name": "\u041a\u043e\u043d\u0442\u0435\u0439\u043d\u0435\u0440\u044b Veresk Home", "quantity": 1, "price": "1275.00", "currency": "RUB"}]','2026-08-31 14:32:21.000000','7e5bd6622700c3aaf0f15ea2be8cb85b','2026-11-28 14:32:20.304675','2026-11-28 14:32:20.304675');
INSERT INTO "orders" VALUES(2,'wb','ec.r9e3779b1.1.0','49485947372270567510','fbo','2026-08-31 19:51:15.000000','ordered',0,NULL,1,3040,'RUB','[{"product_id": "245901773", "article": "PJ-12/\u0441\u0435\u0440", "name": "\u041f\u0438\u0436\u0430\u043c\u044b \u041b\u0443\u0433\u043e\u0432\u0438\u043d\u0430", "quantity": 1, "price": "3040.00", "currency": "RUB"}]','2026-08-31 20:33:00.000000','a4dadd6507721e6d6aec5f1da3c38bf1','2026-11-28 14:32:20.304675','2026-11-28 14:32:20.304675');
INSERT INTO "orders" VALUES(3,'wb','ec.rdaa66d13.3.0','33517391624557700140','fbo','2026-09-01 06:32:41.000000','ordered',0,NULL,1,1040,'RUB','[{"product_id": "245913929", "article": "KV-15/\u0441\u0435\u0440", "name": "\u041a\u043e\u0432\u0440\u0438\u043a\u0438 \u0422\u0438\u0445\u0438\u0439 \u0414\u0432\u043e\u0440", "quantity": 1, "price": "1040.00", "currency": "RUB"}]','2026-09-01 06:33:33.000000','77744ab9740083f0d7bf80a4a2106343','2026-11-28 14:32:20.304675','2026-11-28 14:32:20.304675');
INSERT INTO "orders" VALUES(4,'wb','eb.r78dde6c4.4.0','88307241120642808268','fbs','2026-09-01 11:52:28.000000','ordered',0,NULL,1,1555.24,'RUB','[{"product_id": "245915955", "article": "SK-26/\u0447\u0451\u0440", "name": "\u0421\u043a\u043e\u0432\u043e\u0440\u043e\u0434\u044b Veresk Home", "quantity": 1, "price": "1555.24", "currency": "RUB"}]','2026-09-01 11:53:57.000000','d2b790f36481719e9f89d88407a1ada0','2026-11-28 14:32:20.304675','2026-11-28 14:32:20.304675');
INSERT INTO "orders" VALUES(5,'wb','ec.r17156075.0.0','68783470286201542790','fbs','2026-09-01 17:13:45.000000','ordered',0,NULL,1,2964.11,'RUB','[{"product_id": "245910890", "article": "PL-08/\u0442\u0435\u0440", "name": "\u041f\u043b\u0435\u0434\u044b \u0422\u0438\u0445\u0438\u0439 \u0414\u0432\u043e\u0440", "quantity": 1, "price": "2964.11", "currency": "RUB"}]','2026-09-01 17:14:21.000000','c3986eb7039ad8de629af904cdfd276d','2026-11-28 14:32:20.304675','2026-11-28 14:32:20.304675');
INSERT INTO "orders" VALUES(6,'wb','eb.rb54cda26.1.0','91719632627806247961','fbo','2026-09-01 22:33:41.000000','ordered',0,NULL,1,831.6,'RUB','[{"product_id": "245908864", "article": "NS-77/\u0447\u0451\u0440", "name": "\u041d\u043e\u0441\u043a\u0438 \u0421\u043e\u0440\u043e\u043a \u0421\u043e\u0440\u043e\u043a", "quantity": 1, "price": "831.60", "currency": "RUB"}]','2026-09-01 22:34:45.000000','50d9c79ca9d80bc4c307a608c278a571','2026-11-28 14:32:20.304675','2026-11-28 14:32:20.304675');
CREATE TABLE paces (
	"key" VARCHAR(120) NOT NULL, 
	full_at FLOAT NOT NULL, 
	blocked_until FLOAT NOT NULL, 
	CONSTRAINT pk_paces PRIMARY KEY ("key")
);
INSERT INTO "paces" VALUES('wb:orders:2dce7e0c',1.79587646021749401097e+09,0.0);
INSERT INTO "paces" VALUES('wb:feedbacks:2dce7e0c',1.79587638069383287433e+09,0.0);
INSERT INTO "paces" VALUES('ozon:443372db',1.79587638402238035199e+09,0.0);
INSERT INTO "paces" VALUES('openai:47befb58',1.79587638018147635458e+09,0.0);
CREATE TABLE reviews (
	id INTEGER NOT NULL, 
	marketplace VARCHAR(20) NOT NULL, 
	external_id VARCHAR(100) NOT NULL, 
	created_at DATETIME NOT NULL, 
	rating SMALLINT NOT NULL, 
	text TEXT NOT NULL, 
	pros TEXT NOT NULL, 
	cons TEXT NOT NULL, 
	product_id VARCHAR(40) NOT NULL, 
	product_name VARCHAR(500), 
	answered BOOLEAN NOT NULL, 
	answer_text TEXT, 
	answer_state VARCHAR(20) NOT NULL, 
	as_of DATETIME NOT NULL, 
	digest VARCHAR(32) NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	gone_at DATETIME, 
	advice_due_at DATETIME, 
	advice_attempts SMALLINT NOT NULL, 
	answer_claimed_at DATETIME, 
	CONSTRAINT pk_reviews PRIMARY KEY (id), 
	CONSTRAINT uq_reviews_external_id_marketplace UNIQUE (external_id, marketplace)
);
INSERT INTO "reviews" VALUES(1,'wb','VuJ9WYPRD-bC5uoptwgt','2026-10-29 20:32:20.000000',3,'Долго думала, что поставить. Крышка прилегает неплотно. Доставили на 4 дня позже.','Цвет','Маломерит','245911903','Подушка с гречихой 40×60',0,NULL,'none','2026-11-28 14:33:00.027136','a8da2bd4cb254754b415bcd5426fe43e','2026-11-28 14:32:20.279292','2026-11-28 14:33:00.072133',NULL,NULL,1,NULL);
INSERT INTO "reviews" VALUES(2,'wb','9Rn3CqXCxliGN5WKS1yI','2026-10-30 02:32:20.000000',5,'Полностью соответствует описанию и фото. Закажу ещё в другом цвете.','Красивый цвет','','245915955','Сковорода литая 26 см',0,NULL,'none','2026-11-28 14:33:00.027136','b717e9dea2856d4ffff09ff99110c6ff','2026-11-28 14:32:20.279292','2026-11-28 14:33:00.072133',NULL,NULL,1,NULL);
INSERT INTO "reviews" VALUES(3,'wb','k1Fwuw0qCfDf_8Alo0gI','2026-10-30 08:32:20.000000',3,'','Мягкая ткань','Упаковка','245903799','Халат махровый длинный',0,NULL,'none','2026-11-28 14:33:00.027136','3c912e6ff0afde18a0ed9cdb16e10267','2026-11-28 14:32:20.279292','2026-11-28 14:33:00.072133',NULL,NULL,1,NULL);
INSERT INTO "reviews" VALUES(4,'wb','MYjqbGN-RQCTmj0-9JKt','2026-10-30 14:32:20.000000',5,'Всё отлично, спасибо 😍 Запаха нет совсем. Закажу ещё в другом цвете.','Цена, качество, упаковка','Нет','245910890','Плед вязаный крупной вязки',0,NULL,'none','2026-11-28 14:33:00.027136','b73f3bef7663cf30109f5487a887323f','2026-11-28 14:32:20.279292','2026-11-28 14:33:00.072133',NULL,NULL,1,NULL);
INSERT INTO "reviews" VALUES(5,'wb','z8BkHX8of1SexSeDefxO','2026-10-30 20:32:20.000000',5,'Лучше, чем ожидала.','Лёгкий уход','','245906838','Футболка оверсайз с принтом «Кит»',0,NULL,'none','2026-11-28 14:33:00.027136','5e3374aeebe3041d0d4fc16d1cfe562c','2026-11-28 14:32:20.279292','2026-11-28 14:33:00.072133',NULL,NULL,1,NULL);
INSERT INTO "reviews" VALUES(6,'wb','qmbRMDr2FofllujnkbJs','2026-10-31 14:32:20.000000',5,'','Мягкая ткань','','245917981','Доска разделочная из бука',0,NULL,'none','2026-11-28 14:33:00.027136','9e903ff825d66ab6e88d58f49f9b6019','2026-11-28 14:32:20.279292','2026-11-28 14:33:00.072133',NULL,NULL,1,NULL);
CREATE TABLE schedule_claims (
	job_name VARCHAR(100) NOT NULL, 
	last_tick DATETIME NOT NULL, holder VARCHAR(40), held_until FLOAT, 
	CONSTRAINT pk_schedule_claims PRIMARY KEY (job_name)
);
INSERT INTO "schedule_claims" VALUES('sync_wb_reviews','2026-11-28 14:33:00.000000',NULL,NULL);
INSERT INTO "schedule_claims" VALUES('sync_wb_orders','2026-11-28 14:32:00.000000',NULL,NULL);
INSERT INTO "schedule_claims" VALUES('sync_ozon_orders','2026-11-28 14:32:00.000000',NULL,NULL);
INSERT INTO "schedule_claims" VALUES('generate_advice','2026-11-28 14:33:15.000000',NULL,NULL);
INSERT INTO "schedule_claims" VALUES('sync_ozon_reviews','2026-11-28 14:33:00.000000',NULL,NULL);
INSERT INTO "schedule_claims" VALUES('check_resources','2026-11-28 14:33:00.000000',NULL,NULL);
CREATE TABLE schedule_watch (
	job_name VARCHAR(100) NOT NULL, 
	cadence VARCHAR(200) NOT NULL, 
	watched_until DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	back_at DATETIME, 
	CONSTRAINT pk_schedule_watch PRIMARY KEY (job_name)
);
INSERT INTO "schedule_watch" VALUES('backup_database','daily at 03:10 UTC','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('check_resources','every 1 min','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('cleanup_logs','daily at 02:40 UTC','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('generate_advice','every 15 s','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('prune_job_runs','daily at 03:40 UTC','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('sync_ozon_orders','every 2 min','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('sync_ozon_reviews','every 1 min','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('sync_wb_orders','every 2 min','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
INSERT INTO "schedule_watch" VALUES('sync_wb_reviews','every 1 min','2026-11-28 14:32:20.190670','2026-11-28 14:33:25.324494',NULL);
CREATE TABLE sync_positions (
	name VARCHAR(60) NOT NULL, 
	position JSON NOT NULL, 
	began_at DATETIME, 
	finished_at DATETIME, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_sync_positions PRIMARY KEY (name)
);
INSERT INTO "sync_positions" VALUES('wb.reviews.unanswered','{}','2026-11-28 14:33:00.020727','2026-11-28 14:33:00.076072','2026-11-28 14:33:00.076072');
INSERT INTO "sync_positions" VALUES('wb.orders','{"since": "2026-11-28T12:11:57", "boundary": ["ec.r9876aadf.4.0"]}','2026-11-28 14:32:20.205903','2026-11-28 14:32:20.380007','2026-11-28 14:32:20.380007');
INSERT INTO "sync_positions" VALUES('ozon.orders.fbs','{"began": "2026-11-28T14:32:20.252381+00:00"}','2026-11-28 14:32:20.207123','2026-11-28 14:32:23.276749','2026-11-28 14:32:23.276749');
INSERT INTO "sync_positions" VALUES('ozon.reviews.new','{}','2026-11-28 14:33:00.014797','2026-11-28 14:33:00.086285','2026-11-28 14:33:00.086285');
INSERT INTO "sync_positions" VALUES('wb.reviews.answered','{"newest": 1795789940, "whole": 1795876340.410261}','2026-11-28 14:33:00.077186','2026-11-28 14:33:00.140340','2026-11-28 14:33:00.140340');
INSERT INTO "sync_positions" VALUES('ozon.reviews.viewed','{}','2026-11-28 14:33:00.087887','2026-11-28 14:33:01.043924','2026-11-28 14:33:01.043924');
INSERT INTO "sync_positions" VALUES('ozon.orders.fbo','{"began": "2026-11-28T14:32:23.282750+00:00"}','2026-11-28 14:32:23.281439','2026-11-28 14:32:25.289254','2026-11-28 14:32:25.289254');
INSERT INTO "sync_positions" VALUES('ozon.reviews','{"newest": "2026-11-28T14:32:50.164000+00:00"}','2026-11-28 14:33:01.045652','2026-11-28 14:33:02.038035','2026-11-28 14:33:02.038035');
CREATE INDEX ix_job_runs_job_name_id ON job_runs (job_name, id);
CREATE INDEX ix_job_runs_status_id ON job_runs (status, id);
CREATE INDEX ix_reviews_created_at_id ON reviews (created_at, id);
CREATE INDEX ix_reviews_marketplace_created_at_id ON reviews (marketplace, created_at, id);
CREATE INDEX ix_reviews_due ON reviews (created_at, id, advice_due_at) WHERE advice_due_at IS NOT NULL;
CREATE INDEX ix_reviews_waiting ON reviews (marketplace, seen_at) WHERE answered IS 0 AND gone_at IS NULL;
CREATE INDEX ix_reviews_in_moderation ON reviews (marketplace, seen_at) WHERE answer_state = 'moderation' AND gone_at IS NULL;
CREATE INDEX ix_reviews_product_names ON reviews (product_id, marketplace, product_name) WHERE product_name IS NOT NULL;
CREATE INDEX ix_orders_ordered_at_id ON orders (ordered_at, id);
CREATE INDEX ix_orders_marketplace_ordered_at_id ON orders (marketplace, ordered_at, id);
CREATE INDEX ix_advice_review_id ON advice (review_id);
CREATE INDEX ix_invalid_rows_source_external_id ON invalid_rows (source, external_id);
CREATE INDEX ix_job_runs_job_name_status_id ON job_runs (job_name, status, id);
CREATE INDEX ix_job_runs_job_name_finished_at ON job_runs (job_name, finished_at);
CREATE INDEX ix_job_runs_running ON job_runs (heartbeat_at) WHERE finished_at IS NULL;
CREATE INDEX ix_missed_runs_job_name_id ON missed_runs (job_name, id);
COMMIT;
