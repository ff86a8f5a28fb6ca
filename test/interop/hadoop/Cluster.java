import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.http.server.HttpFSServerWebServer;
import org.apache.hadoop.hdfs.DFSConfigKeys;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;
import org.apache.hadoop.security.authorize.ProxyUsers;

/**
 * A real HDFS for the tests: two namenodes, of which the second is active, a datanode, and an HttpFS server before them. Says where they
 * listen, as a line of JSON, and ends when its standard input does, so that it does not outlive the test.
 *
 * Argument: a folder for its files.
 */
public class Cluster {
  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    Configuration settings = new Configuration();
    settings.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, home.resolve("dfs").toString());
    // Small blocks, so that small files have several; the least that a list gives at once, so that it takes several.
    settings.setLong(DFSConfigKeys.DFS_BLOCK_SIZE_KEY, 1 << 20);
    settings.setInt(DFSConfigKeys.DFS_LIST_LIMIT, 5);
    // Tokens are given, and taken, although nobody has to log in.
    settings.setBoolean(DFSConfigKeys.DFS_NAMENODE_DELEGATION_TOKEN_ALWAYS_USE_KEY, true);
    // HttpFS, which runs as this user, acts for others.
    String user = System.getProperty("user.name");
    settings.set("hadoop.proxyuser." + user + ".hosts", "*");
    settings.set("hadoop.proxyuser." + user + ".groups", "*");
    settings.set("hadoop.tmp.dir", home.resolve("tmp").toString());

    MiniDFSCluster cluster = new MiniDFSCluster.Builder(settings)
        .nnTopology(MiniDFSNNTopology.simpleHATopology())
        .numDataNodes(1)
        .build();
    cluster.waitActive();
    cluster.transitionToActive(1);

    try (OutputStream file = cluster.getFileSystem(1).create(new org.apache.hadoop.fs.Path("/由 Hadoop 写.bin"))) {
      byte[] written = new byte[3_000_000];
      for (int i = 0; i < written.length; i++) written[i] = (byte) (i * 7);
      file.write(written);
    }

    HttpFSServerWebServer httpfs = httpfs(home.resolve("httpfs"), "hdfs://127.0.0.1:" + cluster.getNameNodePort(1));
    // The HttpFS server has put its own settings, of nobody, in their place: both run in this process.
    ProxyUsers.refreshSuperUserGroupsConfiguration(settings);
    System.out.println("READY {\"standby\":\"" + address(cluster, 0) + "\",\"active\":\"" + address(cluster, 1)
        + "\",\"httpfs\":\"" + httpfs.getUrl().getAuthority() + "\"}");
    while (System.in.read() != -1) {}
    httpfs.stop();
    cluster.shutdown(true);
    System.exit(0);
  }

  private static String address(MiniDFSCluster cluster, int namenode) {
    return "127.0.0.1:" + cluster.getNameNode(namenode).getHttpAddress().getPort();
  }

  private static HttpFSServerWebServer httpfs(Path home, String namenode) throws Exception {
    for (String folder : new String[] {"conf", "log", "temp"}) Files.createDirectories(home.resolve(folder));
    Files.writeString(home.resolve("conf/httpfs-signature.secret"), "of a test");
    Files.writeString(home.resolve("conf/core-site.xml"),
        "<configuration><property><name>fs.defaultFS</name><value>" + namenode + "</value></property>"
            + "<property><name>dfs.replication</name><value>1</value></property>"
            + "<property><name>dfs.blocksize</name><value>" + (1 << 20) + "</value></property></configuration>");
    System.setProperty("httpfs.home.dir", home.toString());
    System.setProperty("httpfs.config.dir", home.resolve("conf").toString());
    System.setProperty("httpfs.log.dir", home.resolve("log").toString());
    System.setProperty("httpfs.temp.dir", home.resolve("temp").toString());
    Configuration settings = new Configuration();
    settings.set("hadoop.tmp.dir", home.resolve("tmp").toString());
    settings.set("httpfs.http.hostname", "127.0.0.1");
    settings.setInt("httpfs.http.port", 0);
    // Its own main() alone may make one, and does not tell the port.
    Constructor<HttpFSServerWebServer> constructor =
        HttpFSServerWebServer.class.getDeclaredConstructor(Configuration.class, Configuration.class);
    constructor.setAccessible(true);
    HttpFSServerWebServer server = constructor.newInstance(settings, new Configuration(false));
    server.start();
    return server;
  }
}
