# The answers of every app here, for Ruby's servers (puma, unicorn). A release is this
# directory with two files beside the program: REVISION, and MODE, how it misbehaves.
require "socket"

def word(name, default)
  file = File.join(__dir__, name)
  File.exist?(file) ? File.read(file).strip : default
end

version, mode = word("REVISION", "dev"), word("MODE", "ok")
say = ->(text) { $stderr.puts "shop #{version}[#{$$}]: #{text}" }

say.("starting (mode #{mode})")
raise 'cannot open database: relation "orders" does not exist' if mode == "dies"
sleep 3 if mode == "slowstart"
if mode == "hangs"
  say.("waiting for the cache to warm up")
  sleep
end
if mode == "latedeath"
  Thread.new do
    sleep 1
    say.("out of licence seats, giving up")
    exit!(1)
  end
end

answer = lambda do |env|
  case [env["REQUEST_METHOD"], env["PATH_INFO"]]
  when ["GET", "/"] then [200, "shop #{version} #{Socket.gethostname}\n"]
  when ["GET", "/health"]
    mode == "unhealthy" ? [500, "payment gateway: connection refused\n"] : [200, "ok\n"]
  when ["GET", "/version"] then [200, "#{version}\n"]
  when ["GET", "/slow"]
    ms = env["QUERY_STRING"][/\Ams=(\d+)\z/, 1].to_i
    sleep(ms / 1000.0)
    [200, "slow #{version} #{ms} ms\n"]
  when ["POST", "/echo"] then [200, env["rack.input"].read]
  else [404, "not found\n"]
  end
end

run lambda { |env|
  status, body = answer.(env)
  [status, { "Content-Type" => "application/octet-stream", "Content-Length" => body.bytesize.to_s,
             "X-Version" => version }, [body]]
}
