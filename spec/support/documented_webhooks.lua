-- The documented bodies of webhooks, byte for byte but for white space: one of each page of the vendor's documentation under
-- v3/webhooks, and the two of its guide to webhooks, v3/getting-started/webhooks. What many of them hold stands here once.
-- luacheck: no max line length
local parts = {
  stack = [=["uid":"stack-550e8400-e29b-41d4-a716","name":"my-production-app","account_id":12345,"git":"git@github.com:mycompany/myapp.git","git_branch":"main","environment":"production","cloud":"aws","fqdn":"myapp.example.com","language":"ruby","framework":"rails","status":1,"health":3,"last_activity":"2024-02-15 14:30:00 UTC","last_activity_iso":"2024-02-15T14:30:00Z","maintenance_mode":false,"has_loadbalancer":true,"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-15T14:30:00Z","deploy_directory":"/var/deploy/myapp","cloud_status":"deployed","backend":"kubernetes","version":"4","revision":"42","is_busy":false,"account_name":"Production Team (team@example.com)","is_cluster":false,"is_inside_cluster":true,"cluster_name":"production-cluster","application_address":"https://myapp.example.com","configstore_namespace":"550e8400-e29b-41d4-a716-446655440000","namespaces":["myapp-production","myapp-staging"],"considerations":{"warnings":[],"notices":["Stack is healthy"]},"redeploy_hook":"https://hooks.cloud66.com/stacks/redeploy/abc123def456"]=],
  server = [=["uid":"550e8400-e29b-41d4-a716-446655440001","vendor_uid":"i-0123456789abcdef0","name":"web-server-01","address":"203.0.113.10","distro":"ubuntu","distro_version":"20.04","dns_record":"web-01.example.com","user_name":"cloud66","server_type":"aws","server_roles":["web","docker"],"server_group_id":123,"stack_uid":"stack-550e8400-e29b-41d4-a716","has_agent":true,"params":{"size":"t3.medium","region":"us-east-1","subnet":"subnet-12345"},"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-15T14:20:00Z","region":"us-east-1","availability_zone":"us-east-1a","ext_ipv4":"203.0.113.10","int_ipv4":"10.0.1.100","ext_ipv6":"2001:db8::1","int_ipv6":"fd00::1","health_state":1,"personal_key":false,"has_deploy_gateway":false,"deploy_gateway_address":null,"deploy_gateway_user_name":null]=],
  context = [=["id":78901,"stack_id":12345,"uid":"dc-a1b2c3d4e5f6","type":"kubernetes","created_at":"2024-02-15T09:30:00Z","updated_at":"2024-02-15T10:15:00Z","apply_infrastructure_upgrades":true,"apply_security_upgrades":true,"async_action_id":55667,"authorized_by":"user-456","auto_update_docker_versions":true,"deploy_strategy":"rolling","deploy_type":"redeploy","deployment_profile_id":123,"force_infrastructure_upgrades":false,"github_deployment_id":789012,"reboot_servers":false,"triggered_by":"john@example.com","triggered_via":"webhook","is_advanced":false,"scaler_id":334,"take_server_snapshots":true]=],
  deployment = [=["id":158,"triggered_by":"Cloudia Sixton","triggered_via":"web","started_at":"2024-01-01T11:55:00Z","finished_at":"2024-01-01T12:00:00Z","started_at_iso":"2024-01-01T11:55:00Z","finished_at_iso":"2024-01-01T12:00:00Z","outcome":"success","git_hash":"f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0","deploy_session":"a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0","deploy_type":"build","is_head":true,"is_live":true,"reverted":false,"reverted_by":null,"reverted_at":null,"reverted_at_iso":null]=],
  backup = [=["id":54321,"server_uid":"server-abc123","db_type":"postgresql","database_name":"myapp_production","file_base":"backup_20240115_103000","backup_date_iso":"2024-01-15T10:30:00Z","backup_status":0,"backup_result":"Backup completed successfully","restore_status":0,"restore_result":"Not restored","created_at_iso":"2024-01-15T10:30:00Z","updated_at_iso":"2024-01-15T10:35:00Z","verify_status":0,"verify_result":"Backup verified successfully","storage_path":"/backups/postgresql/myapp_production/","skip_tables":"temp_logs,cache_data","backup_size":1024000000]=],
  service = [=["name":"web","containers":[{"id":"container-123","status":"running","server_uid":"550e8400-e29b-41d4-a716-446655440001"},{"id":"container-124","status":"running","server_uid":"550e8400-e29b-41d4-a716-446655440002"}],"source_type":"git","git_ref":"main","image_name":"myapp/web","image_uid":"sha256:1234567890abcdef","image_tag":"latest","command":"bundle exec rails server -b 0.0.0.0 -p 3000","build_command":"bundle install && npm install && npm run build","deploy_command":"bundle exec rake db:migrate","wrap_command":null,"desired_count":3]=],
  job = [=["uid":"job-550e8400-e29b-41d4-a716","name":"daily-backup","type":"backup","cron":"0 2 * * *","status":"active","paused":false,"params":{"retention_days":30,"compress":true,"target_location":"s3://backup-bucket/daily"},"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-10T09:15:00Z"]=],
}

-- Page and body.
local ROWS = {
  { "account/suspended", [=[{"timestamp":1640995200,"event_type":"account.suspended","account_name":"Awesome Account"}]=] },
  { "active-protect/block", [=[{"timestamp":1757011079,"event_type":"active.protect.block","server":{@server@},"activeprotect_action":{"server":"550e8400-e29b-41d4-a716-446655440000","address":"192.168.1.45","country":"United States","country_code":"US","attack":"SSH","port":22,"banned":true,"action_date":"2024-02-15T14:23:41Z"}}]=] },
  { "active-protect/change", [=[{"timestamp":1757011079,"event_type":"active.protect.change","server":{@server@},"watched_file":{"server":"550e8400-e29b-41d4-a716-446655440001","file_path":"/etc/nginx/nginx.conf","is_changed":false,"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-15T14:25:00Z"}}]=] },
  { "application/created", [=[{"timestamp":1757011079,"event_type":"stack.created",@stack@}]=] },
  { "application/deploy-started", [=[{"timestamp":1757011079,"event_type":"stack.deploy.started","stack":{@stack@},"deploy_context":{@context@}}]=] },
  { "application/health-check-failed", [=[{"timestamp":1757011079,"event_type":"application.health_check.failed",@stack@}]=] },
  { "application/integration-configured", [=[{"timestamp":1757011079,"event_type":"application.integration.configured",@stack@}]=] },
  { "application/integration-removed", [=[{"timestamp":1757011079,"event_type":"application.integration.removed",@stack@}]=] },
  { "application/provision-fail", [=[{"timestamp":1757011079,"event_type":"stack.provision.fail",@stack@,"deploy_context":{@deployment@}}]=] },
  { "application/provision-ok", [=[{"timestamp":1757011079,"event_type":"stack.provision.ok",@stack@,"deploy_context":{@deployment@}}]=] },
  { "application/redeploy-fail", [=[{"timestamp":1757011079,"event_type":"stack.redeploy.fail","stack":{@stack@},"deploy_context":{@context@}}]=] },
  { "application/redeploy-hook-fail", [=[{"timestamp":1757011079,"event_type":"stack.redeploy.hook.fail",@stack@}]=] },
  { "application/redeploy-ok", [=[{"timestamp":1757011079,"event_type":"stack.redeploy.ok","stack":{@stack@},"deploy_context":{@context@}}]=] },
  { "application/stackscore-changed", [=[{"timestamp":1757011079,"event_type":"stack.stackscore.changed",@stack@}]=] },
  { "application/update-failed", [=[{"timestamp":1757011079,"event_type":"application.update.failed",@stack@}]=] },
  { "application/update-pending", [=[{"timestamp":1757011079,"event_type":"application.update.pending",@stack@}]=] },
  { "application/update-started", [=[{"timestamp":1757011079,"event_type":"application.update.started",@stack@}]=] },
  { "application/update-succeeded", [=[{"timestamp":1757011079,"event_type":"application.update.succeeded",@stack@}]=] },
  { "auth/app-auth", [=[{"timestamp":1640995200,"event_type":"app.auth","user":"user@example.com","app":"7c2c4ab2ae7ed4c33c3dacd1e9715f796ec222fd8985341128d7f7d485349caf"}]=] },
  { "auth/app-deauth", [=[{"timestamp":1640995200,"event_type":"app.deauth","user":"user@example.com","app":"7c2c4ab2ae7ed4c33c3dacd1e9715f796ec222fd8985341128d7f7d485349caf"}]=] },
  { "autoscaling/actions", [=[{"timestamp":1757011079,"event_type":"autoscaling.actions",@stack@}]=] },
  { "autoscaling/failed", [=[{"timestamp":1757011079,"event_type":"autoscaling.failed",@stack@}]=] },
  { "backup/managed-backup-fail", [=[{"timestamp":1757011079,"event_type":"managed_backup.fail","stack":{@stack@},"backup":{@backup@}}]=] },
  { "backup/verification-failed", [=[{"timestamp":1757011079,"event_type":"backup.verification.failed","stack":{@stack@},"backup":{@backup@}}]=] },
  { "cloud-object/delete-fail", [=[{"timestamp":1640995200,"event_type":"cloud_object.delete.fail","cloud_object_delete_queue":{"id":42,"object_type":"load_balancer","network_object_id":"c66_abc123def456","object_name":"c66_abc123def456","stack_id":1,"stack_name":"Awesome Stack","account_id":11,"account_email":"user@example.com","cloud_symbol":"aws","vendor_id":"c66_abc123def456","status":"failed","created_at":"2024-01-01T12:30:45Z","updated_at":"2024-01-01T12:35:30Z","error_message":"Resource deletion failed: timeout"}}]=] },
  { "cloud-object/delete-ok", [=[{"timestamp":1640995200,"event_type":"cloud_object.delete.ok","cloud_object_delete_queue":{"id":42,"object_type":"load_balancer","network_object_id":"c66_abc123def456","object_name":"c66_abc123def456","stack_id":1,"stack_name":"Awesome Stack","account_id":11,"account_email":"user@example.com","cloud_symbol":"aws","vendor_id":"c66_abc123def456","status":"deleted","created_at":"2024-01-01T12:30:45Z","updated_at":"2024-01-01T12:35:30Z"}}]=] },
  { "container/down", [=[{"timestamp":1757011079,"event_type":"container.down","uid":"container-abc123def456","name":"web-app-container","server_uid":"server-789xyz","server_name":"web-server-01","service_name":"web","image":"myapp/web:v1.2.3","command":"bundle exec puma -C config/puma.rb","started_at":"2024-01-15T10:30:00Z","ports":[{"container":3000,"http":80,"https":443}],"private_ip":"10.0.1.15","docker_ip":"172.17.0.2","health_state":1,"health_message":"Container is running normally","health_source":"docker","capture_output":true,"restart_on_deploy":true,"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T10:35:00Z","status":"running"}]=] },
  { "database/slave-failed", [=[{"timestamp":1757011079,"event_type":"db.slave.failed",@server@}]=] },
  { "database/slave-ok", [=[{"timestamp":1757011079,"event_type":"db.slave.ok",@server@}]=] },
  { "disk/space-alert", [=[{"timestamp":1640995200,"event_type":"free.disk.space.alert","server":"123123123123123123"}]=] },
  { "disk/space-normal", [=[{"timestamp":1640995200,"event_type":"free.disk.space.normal","server":"123123123123123123"}]=] },
  { "job/backon", [=[{"timestamp":1757011079,"event_type":"job.backon",@job@}]=] },
  { "job/fail", [=[{"timestamp":1757011079,"event_type":"job.fail",@job@}]=] },
  { "payment/payment-done", [=[{"timestamp":1640995200,"event_type":"payment.done","charged_amount":"$29.00"}]=] },
  { "payment/payment-fail", [=[{"timestamp":1640995200,"event_type":"payment.fail","charged_amount":"$9.00","reason":"Your credit card company is not accessible"}]=] },
  { "process/down", [=[{"timestamp":1640995200,"event_type":"process.down","process_name":"nginx","server":{"name":"Meerkat","uid":"123123123123123123"}}]=] },
  { "process/web-started", [=[{"timestamp":1640995200,"event_type":"web.process.started","stack":"abc123def456","server":"123123123123123123"}]=] },
  { "process/web-stopped", [=[{"timestamp":1640995200,"event_type":"web.process.stopped","stack":"abc123def456","server":"123123123123123123"}]=] },
  { "process/web-unknown", [=[{"timestamp":1640995200,"event_type":"web.process.unknown","stack":"abc123def456","server":"123123123123123123"}]=] },
  { "server/backon", [=[{"timestamp":1640995200,"event_type":"server.backon","uid":"550e8400-e29b-41d4-a716-446655440001","status":1,"server":"550e8400-e29b-41d4-a716-446655440001","created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-15T14:20:00Z","created_at_iso":"2024-01-15T10:30:00Z","updated_at_iso":"2024-02-15T14:20:00Z"}]=] },
  { "server/ip-change-fail", [=[{"timestamp":1640995200,"event_type":"server.ip.change.fail","uid":"550e8400-e29b-41d4-a716-446655440001","status":1,"server":"550e8400-e29b-41d4-a716-446655440001","created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-15T14:20:00Z","created_at_iso":"2024-01-15T10:30:00Z","updated_at_iso":"2024-02-15T14:20:00Z","new_ext_ipv4":"111.111.111.111"}]=] },
  { "server/stopped", [=[{"timestamp":1640995200,"event_type":"server.stopped","uid":"550e8400-e29b-41d4-a716-446655440001","status":1,"server":"550e8400-e29b-41d4-a716-446655440001","created_at":"2024-01-15T10:30:00Z","updated_at":"2024-02-15T14:20:00Z","created_at_iso":"2024-01-15T10:30:00Z","updated_at_iso":"2024-02-15T14:20:00Z"}]=] },
  { "service/build-fail", [=[{"timestamp":1757011079,"event_type":"service.build.fail","stack":{@stack@},"service":{@service@}}]=] },
  { "service/build-ok", [=[{"timestamp":1757011079,"event_type":"service.build.ok","stack":{@stack@},"service":{@service@}}]=] },
  { "ssh/key-downloaded", [=[{"timestamp":1757011079,"event_type":"ssh_key.downloaded",@stack@,"server":"web-server-01","user_email":"john@example.com"}]=] },
  { "ssl/expire-soon", [=[{"timestamp":1640995200,"event_type":"ssl_certificate.expire.soon","ssl_certificate":{"stack_id":123,"name":"Awesome SSL Certificate","server_names":"example.com,awesome-example.com","lets_encrypt":true,"has_intermediate_cert":true,"ssl_termination":true,"status":"installed","cert_expiry":"2024-02-01T00:00:00Z","days_until_expiry":30,"created_at":"2024-01-01T12:30:45Z","updated_at":"2024-01-01T12:35:30Z"}}]=] },
  { "ssl/install-fail", [=[{"timestamp":1640995200,"event_type":"ssl_certificate.install.fail","ssl_certificate":{"stack_id":123,"name":"Awesome SSL Certificate","server_names":"example.com,awesome-example.com","lets_encrypt":true,"has_intermediate_cert":false,"ssl_termination":false,"status":"failed","error_message":"Certificate validation failed","created_at":"2024-01-01T12:30:45Z","updated_at":"2024-01-01T12:35:30Z"}}]=] },
  { "ssl/install-ok", [=[{"timestamp":1640995200,"event_type":"ssl_certificate.install.ok","ssl_certificate":{"stack_id":123,"name":"Awesome SSL Certificate","server_names":"example.com,awesome-example.com","lets_encrypt":true,"has_intermediate_cert":true,"ssl_termination":true,"status":"installed","cert_expiry":"2024-07-01T00:00:00Z","created_at":"2024-01-01T12:30:45Z","updated_at":"2024-01-01T12:35:30Z"}}]=] },
  { "guide", [=[{"timestamp":1640995200,"event_type":"stack.provision.ok","uid":"abc123def456","name":"My Application","git":"https://github.com/user/repo.git","git_branch":"master","environment":"production","cloud":"aws","fqdn":"my-app.c66.me","language":"ruby","framework":"rails","status":1,"health":3,"created_at":"2024-01-01T10:00:00Z","updated_at":"2024-01-01T12:30:45Z","deploy_context":{"triggered_by":"user@example.com","outcome":"success","started_at":"2024-01-01T12:00:00Z","finished_at":"2024-01-01T12:30:45Z"}}]=] },
  { "guide/test", [=[{"timestamp":1640995200,"event_type":"test.webhook","message":"Test webhook payload"}]=] },
}

local webhooks = { pages = {}, body = {} }

for i, row in ipairs(ROWS) do
  webhooks.pages[i] = row[1]
  webhooks.body[row[1]] = row[2]:gsub("@(%w+)@", parts)
end

-- Of their stack: in most, and in those of processes and of the guide.
local UIDS = { '"stack%-550e8400%-e29b%-41d4%-a716"', '"abc123def456"' }

---A body about another stack, or of another time.
---@param page string
---@param changes { uid: string?, timestamp: number? }
---@return string json
function webhooks.changed(page, changes)
  local body = webhooks.body[page]
  for _, uid in ipairs(changes.uid and UIDS or {}) do
    body = body:gsub(uid, ('"%s"'):format(changes.uid))
  end
  if changes.timestamp then
    body = body:gsub('"timestamp":%d+', ('"timestamp":%d'):format(changes.timestamp))
  end
  return body
end

return webhooks
