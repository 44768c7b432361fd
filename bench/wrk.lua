-- Posts one body over and over; prints the summary as one JSON line.
-- Arguments after `--`: a file with one "name: value" header per line, a file with the body; then, to have hits of a cache
-- counted, the name of a header of the answer and what its value begins with.
local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   hits = 0
   if args[3] then
      local name, begins = args[3], args[4]
      response = function(status, headers, body)
         local value = headers[name]
         if status == 200 and value and value:sub(1, #begins) == begins then
            hits = hits + 1
         end
      end
   end
   wrk.method = "POST"
   wrk.headers["content-type"] = "application/json"
   for line in io.lines(args[1]) do
      local name, value = line:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
   local file = io.open(args[2], "rb")
   wrk.body = file:read("*a")
   file:close()
   request_bytes = wrk.format()
end

function request()
   return request_bytes
end

function done(summary, latency, requests)
   local e = summary.errors
   local hits = 0
   for _, thread in ipairs(threads) do
      hits = hits + thread:get("hits")
   end
   io.write(string.format(
      '\nRESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "bad_status": %d, "broken": %d, "hits": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      e.status, e.connect + e.read + e.write + e.timeout, hits))
end
