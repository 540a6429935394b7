# SPDX-License-Identifier: BSD-3-Clause
#
# What a Perl program does with Redis.pm: each type, pipelined callbacks, transactions, errors, pub/sub,
# SCAN, a script, a tied hash and list. Dies when something isn't as it should be.
use strict;
use warnings;
use Redis;
use Redis::Hash;
use Redis::List;

my $server = "127.0.0.1:$ARGV[0]";
my $r = Redis->new(server => $server, reconnect => 2, read_timeout => 10);
sub need { my ($holds, $what) = @_; die "$what: not as expected\n" unless $holds }

need($r->ping eq 'PONG', 'ping');
need($r->set(k => "v\r\n\0") eq 'OK' && $r->get('k') eq "v\r\n\0", 'set');
need(!defined $r->get('missing'), 'nil');
need($r->incr('n') == 1 && $r->incrby('n', 9) == 10, 'incr');
need($r->rpush('l', 1 .. 5) == 5 && join(',', $r->lrange('l', 0, -1)) eq '1,2,3,4,5', 'list');
need($r->sadd('s', 'a', 'b') == 2 && join(',', sort $r->smembers('s')) eq 'a,b', 'set');
$r->hmset('h', a => 1, b => 2);
my %h = $r->hgetall('h');
need($h{a} == 1 && $h{b} == 2, 'hash');
$r->zadd('z', 1, 'one', 2.5, 'two');
need(join(',', $r->zrange('z', 0, -1, 'WITHSCORES')) eq 'one,1,two,2.5', 'sorted set');
need(ref $r->info eq 'HASH' && $r->info->{redis_version}, 'info');
need(!eval { $r->lpush('k', 'x'); 1 } && $@ =~ /WRONGTYPE/, 'error');

my $sum = 0;
$r->incr('counter', sub { my ($reply, $error) = @_; $sum += $reply }) for 1 .. 1000;
$r->wait_all_responses;
need($sum == 500500, 'pipeline');

$r->multi;
$r->set('t', 1);
$r->incr('t');
my @done = $r->exec;
need($done[1] == 2, 'transaction');
need(join(',', $r->eval('return {KEYS[1], ARGV[1]}', 1, 'key', 'arg')) eq 'key,arg', 'script');

my ($cursor, %seen) = (0);
do {
    ($cursor, my $keys) = $r->scan($cursor, 'COUNT', 2);
    $seen{$_} = 1 for @$keys;
} while $cursor;
need(keys %seen == $r->dbsize, 'scan');

my @heard;
my $listener = Redis->new(server => $server);
$listener->subscribe('news', sub { push @heard, $_[0] });
$listener->psubscribe('n*', sub { push @heard, $_[0] });
need($r->publish('news', "message $_") == 2, 'publish') for 1 .. 3;
$listener->wait_for_messages(0.2) while @heard < 6;
need($heard[0] eq 'message 1' && $heard[5] eq 'message 3', 'pubsub');

tie my %tied, 'Redis::Hash', 'prefix', server => $server;
$tied{a} = 'b';
need($tied{a} eq 'b' && exists $tied{a} && join(',', keys %tied) eq 'a', 'tied hash');
tie my @tied, 'Redis::List', 'tiedlist', server => $server;
push @tied, 'x', 'y';
need(@tied == 2 && $tied[1] eq 'y' && shift @tied eq 'x', 'tied list');
$r->quit;
print "all is well\n";
