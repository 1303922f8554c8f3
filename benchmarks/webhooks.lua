-- For wrk: webhooks that are signed as their senders sign them, each with another body, sent at an even pace.
-- Arguments: rate a second, threads, images, secret, the registry's host, "signed" or "plain", the number of this run.
local bit, ffi = require("bit"), require("ffi")
local band, bxor, bnot, ror, shr, tobit = bit.band, bit.bxor, bit.bnot, bit.ror, bit.rshift, bit.tobit
ffi.cdef [[ struct load_time { long seconds; long micros; }; int gettimeofday(struct load_time *, void *); ]]

-- SHA-256 (FIPS 180-4): its constants are the fractions of roots of the first primes.
local K, H0 = {}, {}
do
  local found, number = 0, 2
  local function fraction(value) return tobit(math.floor((value - math.floor(value)) * 4294967296)) end
  while found < 64 do
    local prime = true
    for by = 2, math.floor(math.sqrt(number)) do prime = prime and number % by ~= 0 end
    if prime then
      found = found + 1
      K[found] = fraction(number ^ (1 / 3))
      if found <= 8 then H0[found] = fraction(math.sqrt(number)) end
    end
    number = number + 1
  end
end

local W = ffi.new("int32_t[64]")

local function word(value)
  return string.char(band(shr(value, 24), 255), band(shr(value, 16), 255), band(shr(value, 8), 255), band(value, 255))
end

local function sha256(text)
  local length = #text
  text = text .. "\128" .. string.rep("\0", (55 - length) % 64) .. "\0\0\0\0" .. word(length * 8)
  local h = { unpack(H0) }
  for from = 1, #text, 64 do
    for at = 0, 15 do
      local one, two, three, four = text:byte(from + 4 * at, from + 4 * at + 3)
      W[at] = tobit(one * 16777216 + two * 65536 + three * 256 + four)
    end
    for at = 16, 63 do
      local old, new = W[at - 15], W[at - 2]
      local low, high = bxor(ror(old, 7), ror(old, 18), shr(old, 3)), bxor(ror(new, 17), ror(new, 19), shr(new, 10))
      W[at] = tobit(W[at - 16] + low + W[at - 7] + high)
    end
    local a, b, c, d, e, f, g, last = unpack(h)
    for at = 0, 63 do
      local chosen = bxor(band(e, f), band(bnot(e), g))
      local one = tobit(last + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + chosen + K[at + 1] + W[at])
      local two = tobit(bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bxor(band(a, b), band(a, c), band(b, c)))
      last, g, f, e, d, c, b, a = g, f, e, tobit(d + one), c, b, a, tobit(one + two)
    end
    for at, value in ipairs({ a, b, c, d, e, f, g, last }) do h[at] = tobit(h[at] + value) end
  end
  for at = 1, 8 do h[at] = word(h[at]) end
  return table.concat(h)
end

local function hex(text) return (text:gsub(".", function(one) return string.format("%02x", one:byte()) end)) end

local inner, outer

local function keyed(secret)
  if #secret > 64 then secret = sha256(secret) end
  secret = secret .. string.rep("\0", 64 - #secret)
  inner = secret:gsub(".", function(one) return string.char(bxor(one:byte(), 0x36)) end)
  outer = secret:gsub(".", function(one) return string.char(bxor(one:byte(), 0x5c)) end)
end

local function signature(body) return hex(sha256(outer .. sha256(inner .. body))) end

local moment = ffi.new("struct load_time")
local function now()
  ffi.C.gettimeofday(moment, nil)
  return tonumber(moment.seconds) * 1000 + tonumber(moment.micros) / 1000
end

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local gap, images, secret, host, kind, run, due
local count = 0

function init(args)
  gap, images, secret, host, kind = 1000 * tonumber(args[2]) / tonumber(args[1]), tonumber(args[3]), args[4], args[5], args[6]
  run = tonumber(args[7])
  keyed(secret)
end

-- The pace is the script's, not the server's: what is late is sent as soon as a connection is free.
function delay()
  local moment_now = now()
  due = (due or moment_now) + gap
  return math.max(0, math.floor(due - moment_now + 0.5))
end

local function from_github()
  local id = string.format("%08x-%04x-4000-8000-%012x", run, number, count)
  local body = string.format('{"ref":"refs/heads/main","after":"%040x","repository":{"id":%d,"full_name":"acme/code-%d",' ..
    '"private":true,"default_branch":"main"},"pusher":{"name":"ann"},"head_commit":{"id":"%040x","message":"Change %d-%d-%d"}}',
    count, math.random(1e6), math.random(200), count, run, number, count)
  local headers = { ["Content-Type"] = "application/json", ["X-GitHub-Event"] = "push", ["X-GitHub-Delivery"] = id,
    ["X-Hub-Signature-256"] = "sha256=" .. signature(body) }
  return wrk.format("POST", "/webhooks/github", headers, body)
end

local function from_jfrog()
  local image = string.format("app-%d", math.random(0, images - 1))
  local body = string.format('{"domain":"docker","event_type":"pushed","data":{"image_name":"acme/%s","tag":"1.0.0",' ..
    '"repo_key":"docker-local","path":"acme/%s/1.0.0/manifest.json","sha256":"%032x%032x","size":%d},"source":"jfrog/%d-%d-%d"}',
    image, image, math.random(1e9), count, math.random(1e6), run, number, count)
  local headers = { ["Content-Type"] = "application/json", ["X-JFrog-Event-Auth"] = signature(body) }
  return wrk.format("POST", "/webhooks/registry/" .. host, headers, body)
end

local function from_distribution()
  local body = string.format('{"events":[{"id":"%d-%d-%d","action":"push","target":{"repository":"acme/app-%d",' ..
    '"tag":"1.0.0","mediaType":"application/vnd.oci.image.manifest.v1+json"}}]}', run, number, count, math.random(0, images - 1))
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = secret }
  return wrk.format("POST", "/webhooks/registry/" .. host, headers, body)
end

function request()
  count = count + 1
  if kind == "plain" then return from_distribution() end
  return count % 2 == 0 and from_github() or from_jfrog()
end
