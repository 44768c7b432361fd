-- As wrk.lua, but every request has a text and a user of its own: @TEXT@ in the body becomes 900 bytes of words in random order.
local words, marked, count = {}, "", 0

function setup(thread)
   thread:set("seed", os.time())
end

function init(args)
   wrk.method = "POST"
   wrk.headers["content-type"] = "application/json"
   for line in io.lines(args[1]) do
      local name, value = line:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
   local file = io.open(args[2], "rb")
   marked = file:read("*a")
   file:close()
   math.randomseed(seed)
   local letters = "eeeeetttaaoooiinnsshhrrddlcumwfgypbvk"
   for number = 1, 3000 do
      local word = {}
      for place = 1, math.random(2, 9) do
         local at = math.random(#letters)
         word[place] = letters:sub(at, at)
      end
      words[number] = table.concat(word)
   end
end

function request()
   local text, size = {}, 0
   while size < 900 do
      local word = words[math.random(#words)]
      text[#text + 1] = word
      size = size + #word + 1
   end
   count = count + 1
   wrk.headers["x-headgate-user"] = seed .. "-" .. count
   return wrk.format(nil, nil, nil, (marked:gsub("@TEXT@", (table.concat(text, " ")))))
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nRESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "bad_status": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      e.status, e.connect + e.read + e.write + e.timeout))
end
